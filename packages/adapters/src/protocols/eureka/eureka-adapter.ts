import {
  type Clock,
  DEFAULT_NAMESPACE,
  type HttpProtocolAdapter,
  type HttpRoute,
  type Registry,
} from '@portolan/core';
import { createViewTexts } from '../views/view-texts.ts';
import { createDeltaWindow } from './delta-window.ts';
import type { EurekaContext } from './eureka-context.ts';
import { toEurekaError } from './eureka-error.ts';
import { createEurekaLifecycle } from './lifecycle.ts';
import { readingOperations } from './operations/reading.ts';
import { replicationOperations } from './operations/replication.ts';
import { writingOperations } from './operations/writing.ts';

export interface EurekaAdapterOptions {
  /** Namespace that Eureka's clients live in; default `default`. */
  readonly namespace?: string;
  /** How long a change is told in a delta; default 3 min, Eureka's own. */
  readonly deltaRetentionMs?: number;
  /** Changed instances remembered for deltas; default 50,000. */
  readonly deltaInstances?: number;
  /** Characters of written services kept for the next reader; default 32 Mi. */
  readonly textCacheChars?: number;
}

export interface EurekaAdapterDeps {
  readonly registry: Registry;
  readonly clock: Clock;
}

/** Spring Cloud's base path, Netflix' own, and the one of clients with a bare server URL. */
const BASES = ['/eureka', '/eureka/v2', '/v2'];
const PREFIXES = ['/eureka', '/v2/apps', '/v2/instances', '/v2/vips', '/v2/svips'];
const MEBI = 1_024 * 1_024;

/** Eureka's REST protocol (docs/decisions/0010-eureka-and-nacos.md): functions from request to reply, without a socket. */
export function createEurekaAdapter(
  options: EurekaAdapterOptions,
  deps: EurekaAdapterDeps,
): HttpProtocolAdapter {
  const context: EurekaContext = {
    ...deps,
    namespace: options.namespace ?? DEFAULT_NAMESPACE,
    delta: createDeltaWindow(
      {
        retentionMs: options.deltaRetentionMs ?? 180_000,
        maxInstances: options.deltaInstances ?? 50_000,
      },
      deps,
    ),
    texts: createViewTexts(options.textCacheChars ?? 32 * MEBI),
  };
  const lifecycle = createEurekaLifecycle(context);
  const operations = [
    ...readingOperations(context),
    ...writingOperations(context, lifecycle),
    ...replicationOperations(context, lifecycle),
  ];
  const routes = BASES.flatMap((base) =>
    operations.flatMap(({ path, ...route }): HttpRoute[] => {
      const whole = `${base}${path}`;
      if (!PREFIXES.some((prefix) => whole.startsWith(prefix))) return [];
      // Clients write it with and without the slash at the end.
      return [
        { ...route, path: whole },
        { ...route, path: `${whole}/` },
      ];
    }),
  );
  return {
    transport: 'http',
    name: 'eureka',
    prefixes: PREFIXES,
    routes,
    renderError: (error, request) => toEurekaError(error, request.requestId),
  };
}
