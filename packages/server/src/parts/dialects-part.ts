import type {
  Admission,
  CatalogueReader,
  HttpProtocolAdapter,
  Registry,
  RouteExplainer,
  SocketProtocolAdapter,
} from '@portolan/core';
import { compileControlLimits, compileControlOverload } from '../config/compile-config.ts';
import { compileDnsOptions, compileGrpcOptions } from '../config/compile-dialects.ts';
import type { PortolanConfig } from '../config/schema.ts';
import { createAdmission } from '../control/admission.ts';
import { createControlListener } from '../control/control-listener.ts';
import { bind } from '../lifecycle/bind.ts';
import { nacosParts } from './nacos-part.ts';
import type { ServerContext } from './server-context.ts';
import { reachable } from './server-status.ts';

/** What a dialect speaks for. */
export interface DialectDeps {
  readonly registry: Registry;
  readonly explainer: () => RouteExplainer | undefined;
}

/** The parts of the configuration whose dialects are functions from request to reply. */
type HttpDialectName = 'consul' | 'eureka' | 'nacos';

type HttpDialectLoader = (
  context: ServerContext,
  deps: DialectDeps,
) => Promise<readonly HttpProtocolAdapter[]>;

/** A dialect that owns a listener: what the configuration says of it, and how it is made. */
interface SocketDialect {
  readonly name: string;
  /** Setting of its address, for messages. */
  readonly setting: string;
  readonly flag: string | undefined;
  /** Scheme of its URL in the list of listeners. */
  readonly protocol: string;
  wanted(config: PortolanConfig): boolean;
  load(context: ServerContext, deps: DialectDeps): Promise<SocketProtocolAdapter>;
  /** For a process that has a copy of the catalogue only; absent: it needs the registry itself. */
  loadOnEdge?(context: ServerContext, catalogue: CatalogueReader): Promise<SocketProtocolAdapter>;
}

/** Imported when it is enabled, and only then. */
const HTTP_DIALECTS: Readonly<Partial<Record<HttpDialectName, HttpDialectLoader>>> = {
  consul: loadConsul,
  eureka: async ({ config, clock }, { registry }) => {
    const { createEurekaAdapter } = await import('@portolan/adapters/eureka');
    const { namespace } = config.dialects.eureka;
    return [createEurekaAdapter({ namespace }, { registry, clock })];
  },
  nacos: async (context, deps) => {
    const { createNacosAdapter } = await import('@portolan/adapters/nacos');
    return [createNacosAdapter(await nacosParts(context, deps))];
  },
};

const SOCKET_DIALECTS: readonly SocketDialect[] = [
  {
    name: 'dns',
    setting: 'dialects.dns.listen',
    flag: '--dns',
    protocol: 'dns',
    wanted: ({ dialects }) => dialects.dns.enabled,
    load: (context, { registry }) => loadDns(context, registry),
    loadOnEdge: loadDns,
  },
  {
    name: 'grpc',
    setting: 'dialects.grpc.listen',
    flag: '--grpc',
    protocol: 'grpc',
    wanted: ({ dialects }) => dialects.grpc.enabled,
    async load(context, { registry }) {
      const { createGrpcAdapter } = await import('@portolan/adapters/grpc');
      const logger = context.logger.child({ component: 'grpc' });
      const options = compileGrpcOptions(context.config);
      const admission = admissionOf('grpc', context);
      return createGrpcAdapter(options, { ...context, registry, logger, admission });
    },
  },
  {
    name: 'nacos-grpc',
    setting: 'dialects.nacos.grpc',
    flag: undefined,
    protocol: 'grpc',
    wanted: ({ dialects: { nacos } }) => nacos.enabled && nacos.grpc !== undefined,
    async load(context, deps) {
      const { createNacosGrpcAdapter } = await import('@portolan/adapters/nacos');
      const listen = context.config.dialects.nacos.grpc ?? { host: '127.0.0.1', port: 0 };
      const admission = admissionOf('nacos-grpc', context);
      return createNacosGrpcAdapter({ listen, admission }, await nacosParts(context, deps));
    },
  },
];

const CLOSE_LIMIT_MS = 5_000;

/** Each listener has what `control.overload` allows to itself; the lag of the event loop is everybody's. */
function admissionOf(name: string, context: ServerContext): Admission {
  const admission = createAdmission(compileControlOverload(context.config), { ...context, name });
  context.stack.push(`${name} admission`, async () => admission.close());
  return admission;
}

async function loadDns(
  context: ServerContext,
  catalogue: CatalogueReader,
): Promise<SocketProtocolAdapter> {
  const { createDnsAdapter } = await import('@portolan/adapters/dns');
  const logger = context.logger.child({ component: 'dns' });
  return createDnsAdapter(compileDnsOptions(context.config), { ...context, catalogue, logger });
}

/**
 * Starts the dialects that the configuration wants. Those over HTTP without a port of their own are returned, for the
 * control port; all others listen when this resolves, and end before what was started earlier.
 */
export async function startDialects(
  context: ServerContext,
  deps: DialectDeps,
): Promise<readonly HttpProtocolAdapter[]> {
  const onControlPort: HttpProtocolAdapter[] = [];
  for (const [name, load] of Object.entries(HTTP_DIALECTS)) {
    const { enabled, listen } = context.config.dialects[name as HttpDialectName];
    if (!enabled) continue;
    const adapters = await load(context, deps);
    context.stopping.throwIfAborted();
    if (listen === undefined) onControlPort.push(...adapters);
    else await serveOverHttp(name, listen, adapters, context);
  }
  for (const dialect of SOCKET_DIALECTS) {
    if (!dialect.wanted(context.config)) continue;
    await serveOverSocket(dialect, context, () => dialect.load(context, deps));
  }
  return onControlPort;
}

/** Starts the dialects that a copy of the catalogue is enough for; says of the others that they are not served. */
export async function startEdgeDialects(
  context: ServerContext,
  catalogue: CatalogueReader,
): Promise<void> {
  for (const dialect of SOCKET_DIALECTS) {
    if (!dialect.wanted(context.config)) continue;
    const { name, loadOnEdge } = dialect;
    if (loadOnEdge) await serveOverSocket(dialect, context, () => loadOnEdge(context, catalogue));
    else context.logger.warn({ dialect: name }, 'not served with role gateway');
  }
}

async function serveOverHttp(
  name: string,
  address: { readonly host: string; readonly port: number },
  adapters: readonly HttpProtocolAdapter[],
  context: ServerContext,
): Promise<void> {
  const { config, logger, listeners, stack } = context;
  const [first, ...others] = adapters;
  if (!first) return;
  const listener = createControlListener(
    {
      name,
      limits: compileControlLimits(config),
      allowedHosts: config.control.allowedHosts,
      overload: compileControlOverload(config),
    },
    { ...context, logger: logger.child({ component: name }) },
  );
  listener.mount([first, ...others]);
  const what = { name, setting: `dialects.${name}.listen`, flag: undefined };
  const bound = await bind(what, address, (wanted) => listener.listen(wanted));
  stack.push(`${name} port`, () =>
    listener.close(Math.min(CLOSE_LIMIT_MS, context.config.shutdown.timeout)),
  );
  context.onReload.push(() => listener.setAllowedHosts(context.config.control.allowedHosts));
  listeners.dialects = [...(listeners.dialects ?? []), { ...bound, name, protocol: 'http' }];
}

async function serveOverSocket(
  dialect: SocketDialect,
  context: ServerContext,
  load: () => Promise<SocketProtocolAdapter>,
): Promise<void> {
  const { name, setting, flag, protocol } = dialect;
  const adapter = await load();
  context.stopping.throwIfAborted();
  const ending = new AbortController();
  const { address, closed } = await bind({ name, setting, flag }, adapter.listen, async () => {
    const started = await adapter.start(ending.signal);
    return { ...started.address, ...started };
  });
  context.stack.push(`${name} port`, async () => {
    ending.abort();
    await closed;
  });
  const named = { ...address, name, protocol };
  context.listeners.dialects = [...(context.listeners.dialects ?? []), named];
}

async function loadConsul(context: ServerContext, { registry }: DialectDeps) {
  const { createConsulAdapter } = await import('@portolan/adapters/consul');
  const { config, listeners, logger, version } = context;
  const { host } = config.dialects.consul.listen ?? listeners.control ?? config.control.listen;
  const adapter = createConsulAdapter(
    { version, advertise: reachable(host), maxWatchers: config.control.limits.watchers },
    { ...context, registry, logger: logger.child({ component: 'consul' }) },
  );
  return [adapter];
}
