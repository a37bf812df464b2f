import { AGENT_PATH, AGENT_PROTOCOL, NO_METRICS, RegistryError } from '@portolan/core';
import { type AgentTimes, serveAgent } from '../../agent/agent-connection.ts';
import { createAgentMetrics } from '../../agent/agent-metrics.ts';
import type { Operation, RestDeps } from '../operation.ts';

/** Where a connection switches to the agent protocol (docs/reference/agent-protocol.md). */
export function agentOperations(deps: RestDeps, times: AgentTimes): Operation[] {
  const { registry, clock, logger } = deps;
  const metrics = createAgentMetrics(deps.metrics ?? NO_METRICS);
  return [
    {
      id: 'agent',
      tag: 'Agents',
      summary: 'Switch the connection to the agent protocol: one connection for many instances',
      method: 'GET',
      path: AGENT_PATH.slice('/api/v1'.length),
      requestHeaders: { Upgrade: `\`${AGENT_PROTOCOL}\`, with \`Connection: Upgrade\`.` },
      answers: { 101: { description: 'The agent protocol from here on, beginning with HELLO.' } },
      errors: ['UPGRADE_REQUIRED'],
      admission: 'heartbeat',
      upgrade: {
        protocols: [AGENT_PROTOCOL],
        begin: (connection) => serveAgent(connection, { registry, clock, logger, metrics, times }),
      },
      handle() {
        throw new RegistryError('UPGRADE_REQUIRED', {
          detail: `Ask with "Connection: Upgrade" and "Upgrade: ${AGENT_PROTOCOL}" over HTTP/1.1. If you did, something between removed it.`,
        });
      },
    },
  ];
}
