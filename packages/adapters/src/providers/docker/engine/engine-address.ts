import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where a Docker Engine answers. */
export type EngineAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      /** Absent: without TLS. */
      readonly tls?: EngineTls;
    };

export interface EngineTls {
  readonly verify: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_SOCKET = '/var/run/docker.sock';

/** What the setting, `DOCKER_HOST` or the default socket names. Throws a RangeError that says what was expected. */
export function parseEngineAddress(
  setting: string | undefined,
  environment: Environment,
): EngineAddress {
  const text = setting || environment.DOCKER_HOST || `unix://${DEFAULT_SOCKET}`;
  if (text.startsWith('/')) return { kind: 'unix', path: text };
  const unix = /^unix:\/\/(\/.+)$/.exec(text);
  if (unix?.[1] !== undefined) return { kind: 'unix', path: unix[1] };
  const tcp = /^(tcp|http|https):\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\/?$/.exec(
    text,
  );
  const secure = tcp?.[1] === 'https' || Boolean(environment.DOCKER_TLS_VERIFY);
  const port = Number(tcp?.[3] ?? (secure ? 2376 : 2375));
  if (!tcp || port < 1 || port > 65_535) {
    throw new RangeError(
      `expected unix:///PATH, tcp://HOST:PORT or https://HOST:PORT, found ${JSON.stringify(text.slice(0, 100))}`,
    );
  }
  const host = (tcp[2] ?? '').replace(/^\[|\]$/g, '');
  return secure
    ? { kind: 'tcp', host, port, tls: readTls(environment) }
    : { kind: 'tcp', host, port };
}

/** As the docker command reads `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`. */
function readTls(environment: Environment): EngineTls {
  const folder = environment.DOCKER_CERT_PATH || join(homedir(), '.docker');
  const named = Boolean(environment.DOCKER_CERT_PATH);
  return {
    verify: Boolean(environment.DOCKER_TLS_VERIFY) || !named,
    ...readPem('ca', join(folder, 'ca.pem'), named),
    ...readPem('cert', join(folder, 'cert.pem'), named),
    ...readPem('key', join(folder, 'key.pem'), named),
  };
}

function readPem<const K extends string>(
  name: K,
  path: string,
  required: boolean,
): { readonly [P in K]?: string } {
  try {
    return { [name]: readFileSync(path, 'utf8') } as { readonly [P in K]: string };
  } catch (error) {
    if (!required && (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new RangeError(
      `expected a readable file at ${path} (DOCKER_CERT_PATH): ${(error as Error).message}`,
    );
  }
}

/** For messages. */
export function formatEngineAddress(address: EngineAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${address.tls ? 'https' : 'tcp'}://${host}:${address.port}`;
}
