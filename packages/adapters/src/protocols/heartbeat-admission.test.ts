import { expect, test } from 'vitest';
import { agentCheckRoutes } from './consul/operations/agent-checks.ts';
import { writingOperations } from './eureka/operations/writing.ts';
import { instanceOperations } from './nacos/http/instances.ts';
import { heartbeatOperations } from './rest/operations/heartbeats.ts';

/** Only asked which routes there are: nothing of it is called. */
const NOTHING = {} as never;

test('whatever keeps an instance alive, in any dialect, is let in last when there is too much to do', () => {
  const routes = [
    ...heartbeatOperations(NOTHING),
    ...agentCheckRoutes(NOTHING, NOTHING),
    ...writingOperations(NOTHING, NOTHING),
    ...instanceOperations(NOTHING),
  ];
  const asHeartbeats = routes
    .filter(({ admission }) => admission === 'heartbeat')
    .map(({ method, path }) => `${method} ${path}`);
  expect(asHeartbeats.sort()).toEqual([
    'POST /heartbeat',
    'POST /instances/heartbeat',
    'PUT /apps/:name/:id',
    'PUT /heartbeat',
    'PUT /instance/beat',
    'PUT /instances/:id/heartbeat',
    'PUT /v1/agent/check/fail/:id',
    'PUT /v1/agent/check/pass/:id',
    'PUT /v1/agent/check/update/:id',
    'PUT /v1/agent/check/warn/:id',
  ]);
});
