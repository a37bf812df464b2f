import type { Caller, CallScope } from './caller.ts';

/** A container, a task or a service of a Docker Engine, and what became of it. */
export interface ContainerDocument {
  readonly kind: 'container' | 'task' | 'service';
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly state: string;
  readonly standing: 'registered' | 'unroutable' | 'ignored' | 'stopped';
  readonly reason: string;
  readonly exposedBy: string;
  readonly services: readonly {
    readonly service: string;
    readonly instance: string;
    readonly address: string | null;
    readonly port: number | null;
    readonly rule: string | null;
    readonly portRule: string;
    readonly reason: string;
    readonly passedOver: readonly { readonly candidate: string; readonly reason: string }[];
  }[];
  readonly routes: readonly string[];
  readonly notes: readonly string[];
}

export interface ContainersDocument {
  readonly engine: string;
  readonly apiVersion: string;
  readonly connected: boolean;
  /** Why it is not. */
  readonly problem: string | null;
  readonly gateway: {
    readonly on: 'host' | 'container' | 'elsewhere';
    readonly why: string;
    readonly hostAddresses: readonly string[];
  } | null;
  readonly containers: readonly ContainerDocument[];
}

/** Containers of the Docker Engine that the registry follows. */
export function createContainerCalls({ call }: Caller) {
  return {
    list: (scope?: Pick<CallScope, 'signal' | 'timeoutMs'>) =>
      call<ContainersDocument>('GET', '/docker/containers', { scope, reach: 'server' }),
    /** By name, or by the beginning of an id; a Swarm service comes with its tasks. */
    explain: (container: string, scope?: Pick<CallScope, 'signal' | 'timeoutMs'>) =>
      call<ContainersDocument>('GET', `/docker/containers/${encodeURIComponent(container)}`, {
        scope,
        reach: 'server',
      }),
  };
}
