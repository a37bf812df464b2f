import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface UpstreamService {
  readonly child: ChildProcess;
  readonly port: number;
  readonly name: string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const PROGRAM = `
const http = require('node:http');
const name = process.env.NAME;
const server = http.createServer((q, s) => {
  const url = new URL(q.url, 'http://x');
  s.setHeader('x-served-by', name);
  if (url.pathname === '/health') { s.end('ok'); return; }
  if (url.pathname === '/sse') {
    s.writeHead(200, {'content-type': 'text/event-stream'});
    let n = 0;
    const timer = setInterval(() => s.write('data: ' + n++ + '\\n\\n'), 20);
    q.on('close', () => clearInterval(timer)); return;
  }
  if (url.pathname === '/status') { s.statusCode = Number(url.searchParams.get('code')); s.end(name); return; }
  if (url.pathname === '/headers') { s.setHeader('content-type', 'application/json'); s.end(JSON.stringify({url: q.url, raw: q.rawHeaders})); return; }
  if (url.pathname === '/echo') { q.pipe(s); return; }
  if (url.pathname === '/bytes') { const n = Number(url.searchParams.get('n')); s.setHeader('content-length', n); s.end(Buffer.alloc(n, 'x')); return; }
  const delay = Number(url.searchParams.get('delayMs') ?? 0);
  setTimeout(() => s.end(name + ' ' + q.url + '\\n'), delay);
});
server.keepAliveTimeout = 10000;
process.on('SIGTERM', () => server.close(() => process.exit(0)));
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => console.log('port ' + server.address().port));
`;

/** A small real HTTP service in a process of its own, so that it can be killed. */
export async function startUpstream(name: string, port = 0): Promise<UpstreamService> {
  const child = spawn(process.execPath, ['-e', PROGRAM], {
    env: { ...process.env, NAME: name, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [text] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return {
    child,
    name,
    port: Number(/port (\d+)/.exec(text)?.[1]),
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await once(child, 'exit');
    },
  };
}
