import type { HealthProbe } from '@portolan/core';
import { createGrpcProbe } from './grpc-probe.ts';
import { createHttpProbe, type HttpProbeOptions } from './http-probe.ts';
import type { ProbeDeps } from './probe-deps.ts';
import { createScriptProbe } from './script-probe.ts';
import { createTcpProbe } from './tcp-probe.ts';

/** Every probe that asks. `ttl` is not among them: there the instance speaks and the registry listens. */
export function createProbes(
  deps: ProbeDeps,
  options: HttpProbeOptions = {},
): readonly HealthProbe[] {
  return [
    createHttpProbe(deps, options),
    createTcpProbe(deps),
    createGrpcProbe(deps),
    createScriptProbe(deps),
  ];
}
