import { createTcpProbe, type ProbeDeps } from '@portolan/adapters';
import { DEFAULT_GROUP, DEFAULT_NAMESPACE, type Registration } from '@portolan/core';

const PREFLIGHT_TIMEOUT_MS = 2_000;

/** Asks a port once whether it accepts; resolves to why not. */
export function createPreflight(
  deps: ProbeDeps,
): (address: string, port: number) => Promise<string | undefined> {
  const probe = createTcpProbe(deps);
  return async (address, port) => {
    const timeout = new AbortController();
    const timer = deps.clock.setTimer(PREFLIGHT_TIMEOUT_MS, () => timeout.abort());
    try {
      const config = { kind: 'tcp', host: address, port } as const;
      const { status, output } = await probe.check(toTarget(address, port), config, timeout.signal);
      return status === 'passing' ? undefined : output;
    } finally {
      timer.cancel();
    }
  };
}

/** What is asked about is not registered yet; the probe dials what its configuration names. */
function toTarget(address: string, port: number): Registration {
  return {
    id: 'preflight',
    service: { namespace: DEFAULT_NAMESPACE, group: DEFAULT_GROUP, name: 'preflight' },
    address,
    port,
    tags: [],
    metadata: {},
    weight: 0,
    checks: [],
    initialStatus: 'unknown',
    registeredAtMs: 0,
  };
}
