import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ECHO_SERVICE = fileURLToPath(new URL('./echo-service.ts', import.meta.url));

/** Starts the tests' gRPC service under that name. */
export async function startEcho(
  name: string,
): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(process.execPath, [ECHO_SERVICE], {
    env: { ...process.env, NAME: name },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [text] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return { child, port: Number(/port (\d+)/.exec(text)?.[1]) };
}
