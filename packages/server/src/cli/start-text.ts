import type { PortolanServer } from '../compose.ts';
import type { PortolanConfig } from '../config/schema.ts';
import { DEFAULT_REGISTRY_URL } from './global-options.ts';

const HELLO =
  "node -e \"require('http').createServer((_, res) => res.end('hello\\n')).listen(process.env.PORT, '127.0.0.1')\"";

/** What `serve` says once it serves: where everything is, and what to try. */
export function startText(
  server: PortolanServer,
  about: { readonly version: string; readonly config: PortolanConfig },
): string {
  const { urls, dataDir } = server;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['gateway', urls.gateway],
    ['api', urls.api],
    ['openapi', urls.openapi],
    ['metrics', urls.metrics],
    ...Object.entries(urls.dialects ?? {}),
    ['health', `${urls.control}/readyz`],
    ['follows', about.config.role === 'gateway' ? about.config.gateway.registry : undefined],
    ['data', dataDir],
  ];
  const lines = rows.flatMap(([name, value]) =>
    value === undefined ? [] : [`  ${name.padEnd(9)}${value}`],
  );
  const next = tryThis(server);
  return `Portolan ${about.version}\n\n${lines.join('\n')}\n\n${next}`;
}

function tryThis({ urls }: PortolanServer): string {
  if (urls.api === undefined) return '';
  const registry = urls.control === DEFAULT_REGISTRY_URL ? '' : ` --registry ${urls.control}`;
  const lines = [
    `npx portolan agent${registry} --service hello --port 9001 -- ${HELLO}`,
    urls.gateway === undefined
      ? `curl ${urls.api}/services/hello/instances`
      : `curl ${urls.gateway}/hello/`,
  ];
  return `Try this next, in another terminal:\n\n${lines.map((line) => `  ${line}\n`).join('')}\n`;
}
