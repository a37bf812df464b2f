import type { RouteMatch } from '@portolan/core';
import { LabelReader } from './label-reader.ts';
import type { CheckWish, LabelWishes, RouteWish, ServiceWish } from './wish.ts';

const PREFIX = 'portolan.';
/** Of the container as a whole. */
const GENERAL = ['enable', 'network', 'address', 'swarm.vip'];
/** Of each service of it; behind `portolan.` or `portolan.PORT.`. */
const OF_SERVICE = [
  'service',
  'namespace',
  'group',
  'id',
  'port',
  'tags',
  'weight',
  'version',
  'canary',
  'check',
  'check.http',
  'check.https',
  'check.tcp',
  'check.grpc',
  'check.port',
  'check.method',
  'check.interval',
  'check.timeout',
  'check.rise',
  'check.fall',
  'check.deregister-after',
  'route.host',
  'route.path',
  'route.exact',
  'route.method',
  'route.priority',
  'route.strip',
  'route.sticky',
];
const HOST = /^(?:\*\.)?[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$/;

/** Reads the native labels; undefined when there is none. */
export function readPortolanLabels(labels: ReadonlyMap<string, string>): LabelWishes | undefined {
  const own = [...labels.keys()].filter((name) => name.startsWith(PREFIX));
  if (own.length === 0) return undefined;
  const reader = new LabelReader(labels);
  const ports = new Set<string>();
  for (const name of own) {
    const [, port, key = ''] = /^portolan\.(?:(\d{1,5})\.)?(.+)$/.exec(name) ?? [];
    if (port !== undefined) ports.add(port);
    const known =
      OF_SERVICE.includes(key) ||
      key.startsWith('meta.') ||
      (port === undefined && GENERAL.includes(key));
    if (!known) reader.problems.push(`label ${name} is none of those there are`);
  }
  const base = readService(PREFIX, reader, labels);
  const services =
    ports.size === 0
      ? [base]
      : [...ports]
          .sort((a, b) => Number(a) - Number(b))
          .map((port) =>
            merge(base, readService(`${PREFIX}${port}.`, reader, labels), Number(port)),
          );
  const enable = reader.flag('portolan.enable');
  const address = reader.text('portolan.address');
  return {
    exposed: enable === false ? 'no' : 'yes',
    by: enable === false ? 'portolan.enable=false' : 'portolan labels',
    networks: reader.list('portolan.network') ?? [],
    ...(address === undefined ? {} : { address }),
    virtualIp: reader.flag('portolan.swarm.vip') ?? false,
    services,
    eachPort: false,
    problems: reader.problems,
    notes: [],
  };
}

/** A second service takes over what it does not say itself, except what only one can have. */
function merge(base: ServiceWish, own: ServiceWish, port: number): ServiceWish {
  const { id: _id, port: _port, routes: _routes, check, ...shared } = base;
  return {
    ...shared,
    ...(check === undefined ? {} : { check }),
    ...own,
    port: own.port ?? port,
    metadata: { ...base.metadata, ...own.metadata },
  };
}

function readService(
  prefix: string,
  reader: LabelReader,
  labels: ReadonlyMap<string, string>,
): ServiceWish {
  const metadata: Record<string, string> = {};
  for (const [name, value] of labels) {
    if (name.startsWith(`${prefix}meta.`)) metadata[name.slice(prefix.length + 5)] = value;
  }
  const version = reader.text(`${prefix}version`);
  if (version !== undefined) metadata.version = version;
  const wish = {
    service: reader.text(`${prefix}service`),
    namespace: reader.text(`${prefix}namespace`),
    group: reader.text(`${prefix}group`),
    id: reader.text(`${prefix}id`),
    port: reader.port(`${prefix}port`),
    tags: reader.list(`${prefix}tags`),
    weight: reader.whole(`${prefix}weight`, 0, 65_535),
    canary: reader.percent(`${prefix}canary`),
    check: readCheck(prefix, reader),
    routes: readRoute(prefix, reader),
  };
  return { ...withoutUndefined(wish), metadata };
}

function readCheck(prefix: string, reader: LabelReader): CheckWish | undefined {
  const at = (name: string) => `${prefix}check.${name}`;
  const schedule = withoutUndefined({
    port: reader.port(at('port')),
    intervalMs: reader.durationMs(at('interval')),
    timeoutMs: reader.durationMs(at('timeout')),
    rise: reader.whole(at('rise'), 1, 100),
    fall: reader.whole(at('fall'), 1, 100),
    deregisterAfterMs: reader.durationMs(at('deregister-after')),
  });
  const plain = reader.text(`${prefix}check`);
  if (plain !== undefined && plain !== 'none') {
    reader.problems.push(`label ${prefix}check has to be none, or check.http and the like`);
  }
  for (const kind of ['http', 'https'] as const) {
    const path = reader.text(at(kind));
    if (path === undefined) continue;
    if (!path.startsWith('/')) {
      reader.problems.push(`label ${at(kind)} has to be a path beginning with /`);
    }
    const method = reader.text(at('method'))?.toUpperCase();
    if (method !== undefined && method !== 'GET' && method !== 'HEAD') {
      reader.problems.push(`label ${at('method')} has to be GET or HEAD`);
      return undefined;
    }
    return { kind, path, ...(method === undefined ? {} : { method }), ...schedule };
  }
  const grpc = reader.text(at('grpc'));
  if (grpc !== undefined) {
    return { kind: 'grpc', ...schedule, ...(grpc === 'true' ? {} : { path: grpc }) };
  }
  if (plain === 'none') return { kind: 'none' };
  if (reader.flag(at('tcp')) === false) return { kind: 'none' };
  return Object.keys(schedule).length === 0 ? undefined : { kind: 'tcp', ...schedule };
}

function readRoute(prefix: string, reader: LabelReader): readonly RouteWish[] | undefined {
  const at = (name: string) => `${prefix}route.${name}`;
  const hosts = (reader.list(at('host')) ?? []).map((host) => host.toLowerCase());
  const prefixes = reader.list(at('path')) ?? [];
  const exact = reader.list(at('exact')) ?? [];
  const methods = reader.list(at('method'))?.map((method) => method.toUpperCase());
  for (const host of hosts) {
    if (!HOST.test(host)) reader.problems.push(`label ${at('host')}: ${host} is no host name`);
  }
  for (const path of [...prefixes, ...exact]) {
    if (!path.startsWith('/'))
      reader.problems.push(`label ${at('path')}: ${path} has to begin with /`);
  }
  const strip = reader.flag(at('strip')) ?? false;
  const stickyCookie = reader.text(at('sticky'));
  const priority = reader.whole(at('priority'), 0, 1_000_000);
  if (hosts.length + prefixes.length + exact.length === 0) return undefined;
  const paths: RouteMatch['path'][] = [
    ...prefixes.map((path) => ({ prefix: path })),
    ...exact.map((path) => ({ exact: path })),
  ];
  if (paths.length === 0 && methods !== undefined) paths.push(undefined);
  const toMatch = (path: RouteMatch['path']): RouteMatch => ({
    ...(path === undefined ? {} : { path }),
    ...(methods === undefined ? {} : { methods }),
  });
  const shared = withoutUndefined({ priority, stickyCookie });
  if (!strip) return [{ hosts, matches: paths.map(toMatch), ...shared }];
  // A rewrite names one prefix, so each has a route of its own.
  return paths.map((path) => ({
    hosts,
    matches: [toMatch(path)],
    ...(path && 'prefix' in path ? { stripPrefix: path.prefix } : {}),
    ...shared,
  }));
}

/** Without members that say nothing. */
function withoutUndefined<T extends object>(
  value: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
