import { LabelReader } from './label-reader.ts';
import type { CheckWish, LabelWishes, ServiceWish } from './wish.ts';

const PREFIX = 'service_';
/** What makes an environment variable one of Registrator's; any `SERVICE_*` label does. */
const TELLING = /^service_(?:\d{1,5}_.+|name|tags|id|ignore|region|check_.+)$/;
const KNOWN = ['name', 'tags', 'id', 'ignore', 'region', 'weight'];

/** Reads Registrator's `SERVICE_*`, from the environment and, over it, from labels; undefined when there is none. */
export function readRegistratorLabels(
  labels: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string>>,
): LabelWishes | undefined {
  const said = new Map<string, string>();
  const variables = Object.entries(environment).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  if (variables.some(([name]) => TELLING.test(name))) {
    for (const [name, value] of variables) if (name.startsWith(PREFIX)) said.set(name, value);
  }
  for (const [name, value] of labels) if (name.startsWith(PREFIX)) said.set(name, value);
  if (said.size === 0) return undefined;

  const reader = new LabelReader(said);
  const notes: string[] = [];
  const ports = new Set<number>();
  for (const name of said.keys()) {
    const port = /^service_(\d{1,5})_/.exec(name)?.[1];
    if (port !== undefined) ports.add(Number(port));
  }
  const base = readService(PREFIX, reader, said, notes);
  const services = [...ports]
    .sort((a, b) => a - b)
    .filter((port) => !said.has(`${PREFIX}${port}_ignore`))
    .map((port) => {
      const own = readService(`${PREFIX}${port}_`, reader, said, notes);
      return {
        ...base,
        ...own,
        port,
        metadata: { ...base.metadata, ...own.metadata },
      };
    });
  const ignored = said.has('service_ignore');
  return {
    exposed: ignored ? 'no' : 'yes',
    by: ignored ? 'SERVICE_IGNORE' : 'SERVICE_* (Registrator)',
    networks: [],
    virtualIp: false,
    // The first is the default for ports that nothing is said of.
    services: [base, ...services],
    eachPort: true,
    problems: reader.problems,
    notes,
  };
}

function readService(
  prefix: string,
  reader: LabelReader,
  said: ReadonlyMap<string, string>,
  notes: string[],
): ServiceWish {
  const metadata: Record<string, string> = {};
  for (const [name, value] of said) {
    if (!name.startsWith(prefix)) continue;
    const key = name.slice(prefix.length);
    if (KNOWN.includes(key) || key.startsWith('check_') || /^\d{1,5}_/.test(key)) continue;
    metadata[key] = value;
  }
  const region = reader.text(`${prefix}region`);
  if (region !== undefined) metadata.region = region;
  const service = reader.text(`${prefix}name`);
  const id = reader.text(`${prefix}id`);
  const tags = reader.list(`${prefix}tags`);
  const weight = reader.whole(`${prefix}weight`, 0, 65_535);
  const check = readCheck(`${prefix}check_`, reader, notes);
  return {
    metadata,
    ...(service === undefined ? {} : { service }),
    ...(id === undefined ? {} : { id }),
    ...(tags === undefined ? {} : { tags }),
    ...(weight === undefined ? {} : { weight }),
    ...(check === undefined ? {} : { check }),
  };
}

function readCheck(at: string, reader: LabelReader, notes: string[]): CheckWish | undefined {
  for (const kind of ['script', 'cmd', 'docker', 'ttl']) {
    if (reader.text(`${at}${kind}`) === undefined) continue;
    notes.push(
      `${`${at}${kind}`.toUpperCase()} is not run: a container cannot say what runs here; its port is asked instead`,
    );
  }
  const intervalMs = reader.durationMs(`${at}interval`);
  const timeoutMs = reader.durationMs(`${at}timeout`);
  const deregisterAfterMs = reader.durationMs(`${at}deregister_after`);
  const schedule = {
    ...(intervalMs === undefined ? {} : { intervalMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(deregisterAfterMs === undefined ? {} : { deregisterAfterMs }),
  };
  const method = reader.text(`${at}http_method`)?.toUpperCase();
  for (const kind of ['http', 'https'] as const) {
    const path = reader.text(`${at}${kind}`);
    if (path === undefined) continue;
    return {
      kind,
      path: path.startsWith('/') ? path : `/${path}`,
      ...(method === 'HEAD' || method === 'GET' ? { method } : {}),
      ...schedule,
    };
  }
  if (reader.text(`${at}grpc`) !== undefined) return { kind: 'grpc', ...schedule };
  if (reader.text(`${at}tcp`) !== undefined) return { kind: 'tcp', ...schedule };
  return Object.keys(schedule).length === 0 ? undefined : { kind: 'tcp', ...schedule };
}
