import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface HaproxyProcess {
  readonly child: ChildProcess;
  output(): string;
  stop(): Promise<void>;
}

/** HAProxy in front of a service that it finds by the SRV records of a name, asked for over `transport`. */
export async function startHaproxy(options: {
  readonly port: number;
  readonly dnsPort: number;
  readonly transport: 'udp' | 'tcp';
  readonly name: string;
}): Promise<HaproxyProcess> {
  const { port, dnsPort, transport, name } = options;
  const server = transport === 'tcp' ? `tcp@127.0.0.1:${dnsPort}` : `127.0.0.1:${dnsPort}`;
  const folder = await mkdtemp(join(tmpdir(), 'portolan-haproxy-'));
  const file = join(folder, 'haproxy.cfg');
  await writeFile(
    file,
    `global
  maxconn 200
defaults
  mode http
  timeout connect 1s
  timeout client 10s
  timeout server 10s
  retries 3
  option redispatch
resolvers portolan
  nameserver portolan ${server}
  accepted_payload_size 1232
  resolve_retries 2
  timeout resolve 200ms
  timeout retry 200ms
  hold valid 200ms
  hold nx 200ms
  hold obsolete 200ms
frontend in
  bind 127.0.0.1:${port}
  default_backend service
backend service
  balance roundrobin
  server-template instance 5 ${name} resolvers portolan init-addr none
`,
  );
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return {
    child,
    output: () => output,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}
