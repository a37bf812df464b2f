import { type Clock, DEFAULT_NAMESPACE, type Logger, type Registry } from '@portolan/core';
import { type ClientDirectory, createClientDirectory } from './client-directory.ts';
import { createDeclaredServices, type DeclaredServices } from './declared-services.ts';
import { createNacosLifecycle, type NacosLifecycle } from './nacos-lifecycle.ts';
import { createNacosUsers, type NacosUsers } from './nacos-users.ts';
import { createViewPushes, type ViewPushes } from './push/view-pushes.ts';

export interface NacosOptions {
  /** Namespace that Nacos' `public` stands for; default `default`. */
  readonly namespace?: string;
  /** Names and passwords; absent: everybody may do everything. */
  readonly users?: ReadonlyMap<string, string>;
}

export interface NacosDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborts when the server ends: sockets and timers end with it. */
  readonly signal: AbortSignal;
}

/** What the two listeners of Nacos have in common: made once, so that a token or a service of one counts for the other. */
export interface NacosParts {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly namespace: string;
  readonly lifecycle: NacosLifecycle;
  readonly services: DeclaredServices;
  readonly clients: ClientDirectory;
  readonly pushes: ViewPushes;
  readonly users: NacosUsers | undefined;
  readonly signal: AbortSignal;
}

const PUSH_DELAY_MS = 500;

export function createNacosParts(options: NacosOptions, deps: NacosDeps): NacosParts {
  const pushes = createViewPushes({ delayMs: PUSH_DELAY_MS }, deps);
  deps.signal.addEventListener('abort', () => pushes.close(), { once: true });
  return {
    ...deps,
    namespace: options.namespace ?? DEFAULT_NAMESPACE,
    lifecycle: createNacosLifecycle(deps.registry),
    services: createDeclaredServices(),
    clients: createClientDirectory(),
    pushes,
    users: options.users && createNacosUsers(options.users, deps),
  };
}
