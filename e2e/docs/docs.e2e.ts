import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DocumentedCommand, parseDocumentedCommands } from './documented-commands.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** What the pages say, and what this run says instead, so that it can run beside anything. */
const PORTS = ['8500', '8080', '9001', '9002', '9000'];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

describe.each(['README.md', 'docs/tutorial/first-service.md'])('%s, word for word', (page) => {
  const running: ChildProcess[] = [];
  let folder = '';
  let commands: DocumentedCommand[] = [];
  let ports = new Map<string, number>();

  beforeAll(async () => {
    commands = parseDocumentedCommands(await readFile(join(ROOT, page), 'utf8'));
    folder = await mkdtemp(join(tmpdir(), 'portolan-docs-'));
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    await writeFile(
      join(folder, 'package.json'),
      JSON.stringify({ private: true, scripts: { start: scripts.start } }),
    );
    ports = new Map(
      await Promise.all(PORTS.map(async (port) => [port, await freePort()] as const)),
    );
  });

  afterAll(async () => {
    for (const child of running.reverse()) {
      if (child.exitCode === null && child.signalCode === null && child.pid) {
        process.kill(-child.pid, 'SIGTERM');
        await once(child, 'exit');
      }
    }
    // The shell that is gone may have ended before what it started, which still writes here.
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });

  test('every command does what the page says', async () => {
    expect(commands.length).toBeGreaterThan(1);
    for (const command of commands) await runAsWritten(command);
  });

  async function runAsWritten(command: DocumentedCommand): Promise<void> {
    // The packages are installed already: this suite is about what comes after.
    const script = command.script
      .replace('npm ci && ', '')
      .replace(/\b(8500|8080|900[012])\b/g, (port) => String(ports.get(port)));
    const child = spawn('bash', ['-c', script], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        PORTOLAN_CONTROL: `127.0.0.1:${ports.get('8500')}`,
        PORTOLAN_GATEWAY: `127.0.0.1:${ports.get('8080')}`,
        PORTOLAN_REGISTRY: `http://127.0.0.1:${ports.get('8500')}`,
      },
    });
    let output = '';
    const seen = new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          if (command.background && output.includes(command.background)) resolve();
        });
      }
    });
    const closed = once(child, 'close').then(([code]) => code as number | null);
    const where = `${page}:${command.line}\n$ ${script}\n`;
    if (command.background) {
      running.push(child);
      const ended = await Promise.race([seen, closed]);
      if (ended !== undefined) throw new Error(`${where}ended early with ${ended}\n${output}`);
      return;
    }
    const code = await closed;
    expect(`${where}exit ${code}\n${output}`).toContain(`${where}exit 0\n`);
    if (command.expect) expect(where + output.replace(/ +/g, ' ')).toContain(command.expect);
  }
});
