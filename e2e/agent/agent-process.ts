import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { BIN } from '../support/portolan-process.ts';

export interface AgentProcess {
  readonly child: ChildProcess;
  /** Resolves with the agent's exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  /** What agent and application said, in order of arrival. */
  said(): string;
  /** Resolves with the match once it was said. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Ends agent and application the hard way. */
  dispose(): Promise<void>;
}

/** An application that obeys its environment: START_MS before it listens, EXIT at SIGTERM, STUBBORN ignores it. */
const APPLICATION = `
const server = require('node:http').createServer((q, s) => s.end('served'));
setTimeout(() => server.listen(process.env.PORT, '127.0.0.1', () => console.log('app listens')), +process.env.START_MS || 0);
process.on('SIGTERM', () => { console.log('app SIGTERM'); if (!process.env.STUBBORN) process.exit(+process.env.EXIT || 0); });
process.on('SIGHUP', () => console.log('app SIGHUP'));
console.log('app pid ' + process.pid);
`;

export function startAgent(options: {
  readonly registry: string;
  readonly port: number;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
}): AgentProcess {
  const command = options.command ?? [process.execPath, '-e', APPLICATION];
  const child = spawn(
    process.execPath,
    [
      ...[BIN, 'agent', '--registry', options.registry, '--service', 'web'],
      ...['--port', String(options.port), ...(options.args ?? []), '--', ...command],
    ],
    { env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let text = '';
  const looks = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      for (const look of looks) look();
    });
  }
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  return {
    child,
    ended,
    said: () => text,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(text);
          if (!match) return;
          looks.delete(look);
          resolve(match);
        };
        looks.add(look);
        look();
        void ended.then(() => reject(new Error(`the agent ended before ${pattern}:\n${text}`)));
      }),
    async dispose() {
      const pid = Number(/app pid (\d+)/.exec(text)?.[1]);
      for (const kill of [() => child.kill('SIGKILL'), () => pid && process.kill(pid, 'SIGKILL')]) {
        try {
          kill();
        } catch {
          // Gone already.
        }
      }
      await ended;
    },
  };
}

/** A port of the loopback address that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
