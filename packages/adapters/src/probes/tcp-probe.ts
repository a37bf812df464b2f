import { connect } from 'node:net';
import type { HealthProbe, TcpProbeConfig } from '@portolan/core';
import { describeFault } from './describe-fault.ts';
import { findDialTarget } from './dial-target.ts';
import type { ProbeDeps } from './probe-deps.ts';
import { critical, type ProbeVerdict, passing, timed } from './probe-verdict.ts';

/** Passing when the port accepts a connection, which is closed again at once. */
export function createTcpProbe(deps: ProbeDeps): HealthProbe<TcpProbeConfig> {
  return {
    kind: 'tcp',
    check: (_target, { host, port }, signal) =>
      timed(deps.clock, async () => {
        const target = await findDialTarget(host, port, deps, signal);
        if (!target.ok) return critical(target.reason);
        return connectOnce(target.ip, port, target.shown, signal);
      }),
  };
}

function connectOnce(
  ip: string,
  port: number,
  shown: string,
  signal: AbortSignal,
): Promise<ProbeVerdict> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(critical(`${shown} did not accept in time`));
    const socket = connect({ host: ip, port });
    const settle = (verdict: ProbeVerdict): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(verdict);
    };
    const onAbort = (): void => settle(critical(`${shown} did not accept in time`));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('connect', () => settle(passing(`${shown} accepts connections`)));
    // Stays attached: a socket may fail once more after it was destroyed.
    socket.on('error', (error) => settle(critical(`${shown}: ${describeFault(error)}`)));
  });
}
