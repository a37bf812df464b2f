import type { DockerEngine } from '../support/docker-engine.ts';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, runPortolan, startPortolan } from '../support/portolan-process.ts';
import { call } from '../support/registry-api.ts';

/** What the API says of one instance, as far as these tests look. */
export interface SeenInstance {
  readonly id: string;
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly status: string;
  readonly statusReason: string;
  readonly routable: boolean;
  readonly owner?: string;
  readonly condition?: { readonly state: string; readonly reason: string };
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
}

/** A server that follows the engine. */
export function startWithDocker(
  engine: Pick<DockerEngine, 'host'>,
  options: Parameters<typeof startPortolan>[0] = {},
): Promise<PortolanProcess> {
  return startPortolan({ ...options, args: ['--docker', engine.host, ...(options.args ?? [])] });
}

export async function instancesOf(
  { control }: Pick<PortolanProcess, 'control'>,
  service?: string,
): Promise<readonly SeenInstance[]> {
  const answer = await call(control, 'GET', '/api/v1/instances');
  const all = answer.body.instances as SeenInstance[];
  return service === undefined ? all : all.filter((one) => one.service === service);
}

/** Waits until the service has exactly that many instances that take requests. */
export function routable(
  portolan: Pick<PortolanProcess, 'control'>,
  service: string,
  count: number,
  withinMs = 15_000,
): Promise<readonly SeenInstance[]> {
  return eventually(
    async () => {
      const found = (await instancesOf(portolan, service)).filter((one) => one.routable);
      if (found.length === count) return found;
      throw new Error(`${found.length} of ${service} are routable, not ${count}`);
    },
    withinMs,
    20,
  );
}

export async function get(
  { gateway }: Pick<PortolanProcess, 'gateway'>,
  path: string,
  host?: string,
): Promise<{ status: number; text: string }> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const asked = request(
      gateway + path,
      host === undefined ? {} : { headers: { host } },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: text.trim() }));
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

/** What `portolan docker …` prints. */
export async function dockerCommand(
  { control }: Pick<PortolanProcess, 'control'>,
  ...args: readonly string[]
): Promise<string> {
  const { code, stdout, stderr } = await runPortolan(['docker', ...args, '--registry', control]);
  if (code !== 0) throw new Error(`portolan docker ${args.join(' ')}: ${code} ${stderr}`);
  return stdout;
}
