import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CheckingProxy, startCheckingProxy } from '../support/checking-proxy.ts';
import { eventually } from '../support/eventually.ts';
import {
  BIN,
  type PortolanProcess,
  runPortolan,
  startPortolan,
} from '../support/portolan-process.ts';
import { register } from '../support/registry-api.ts';
import { startUpstream } from '../support/upstream-service.ts';

let portolan: PortolanProcess;
/** What the commands talk to: every answer they get is checked against the API document. */
let registry: CheckingProxy;
const run = (...args: string[]) =>
  runPortolan(args, { env: { PORTOLAN_REGISTRY: registry.origin } });

beforeAll(async () => {
  portolan = await startPortolan();
  registry = await startCheckingProxy(portolan.control);
});
afterAll(async () => {
  await portolan?.dispose();
  await registry?.close();
});

describe('the built command line', () => {
  test('registers, lists and deregisters', async () => {
    const registered = await run('register', '--service', 'web', '--port', '9001');
    expect([registered.code, registered.stderr, registered.stdout]).toEqual([
      0,
      '',
      'web-127.0.0.1-9001: registered, web at 127.0.0.1:9001, passing\n',
    ]);
    expect((await run('instances', 'web', '-o', 'name')).stdout).toBe('web-127.0.0.1-9001\n');
    const gone = await run('deregister', '--service', 'web', '--yes');
    expect([gone.code, gone.stdout]).toEqual([0, 'web-127.0.0.1-9001: deregistered\n']);
    expect((await run('instances', 'web')).code).toBe(3);
  });

  test('sets and shifts routes as the pages say', async () => {
    const set = ['--path', '/x', '--to', 'web:version=v1=90', '--to', 'web:version=v2=10'];
    expect((await run('route', 'set', 'canary', ...set)).code).toBe(0);
    const { code, stdout } = await run('route', 'weights', 'canary', 'v1=50', 'v2=50');
    expect([code, stdout]).toEqual([0, 'canary: set, web:version=v1=50 web:version=v2=50\n']);
    const told = await run('route', 'explain', 'GET', 'http://a.test/x/y');
    expect([told.code, told.stdout]).toEqual([0, expect.stringContaining('route default/canary')]);
  });

  test('watches as one document a line until Ctrl-C', async () => {
    const child = spawn(process.execPath, [BIN, 'watch', '-o', 'json', '--from', '0'], {
      env: { ...process.env, PORTOLAN_REGISTRY: registry.origin },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    const ended = once(child, 'exit');
    await run('register', '--service', 'seen', '--port', '1');
    await eventually(() => (text.includes('"seen"') ? true : undefined), 10_000);
    child.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    for (const line of text.trimEnd().split('\n'))
      expect(JSON.parse(line).revision).toBeTypeOf('number');
    expect(registry.seen).toContain('event instance-registered /api/v1/events');
  });

  test('ends quietly when its reader goes away', async () => {
    const script = `'${process.execPath}' '${BIN}' watch -o json --from 0 | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const child = spawn('bash', ['-c', script], {
      env: { ...process.env, PORTOLAN_REGISTRY: registry.origin },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    let faults = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      faults += part;
    });
    const closed = once(child, 'close');
    await eventually(() => (text.includes('\n') ? true : undefined), 10_000);
    await run('register', '--service', 'after', '--port', '2');
    await closed;
    expect([text.trimEnd().split('\n').at(-1), faults]).toEqual(['0', '']);
  });

  test('says what to do when no registry is there, with exit code 5', async () => {
    const answer = await runPortolan(['services', '--registry', 'http://127.0.0.1:65533']);
    expect([answer.code, answer.stdout]).toEqual([5, '']);
    expect(answer.stderr).toContain('portolan serve');
  });

  test('saves no snapshot of a folder that is not there, and does not make it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portolan-cli-'));
    const missing = join(folder, 'missing');
    const answer = await runPortolan([
      'snapshot',
      'save',
      join(folder, 'x'),
      '--data-dir',
      missing,
    ]);
    expect([answer.code === 0, answer.stdout, await readdir(folder)]).toEqual([false, '', []]);
    expect(answer.stderr).toContain(`There is no data of Portolan in ${missing}`);
    await rm(folder, { recursive: true });
  });

  test.runIf(existsSync('/proc/self'))(
    'serves from no folder that cannot be made, and says so at once',
    async () => {
      const listen = ['--control', '127.0.0.1:0', '--gateway', '127.0.0.1:0'];
      const answer = await runPortolan(['serve', '--data-dir', '/proc/x', ...listen]);
      expect([answer.code === 0, answer.stdout]).toEqual([false, '']);
      expect(answer.stderr).toContain('making the data folder in /proc/x');
      expect(answer.stderr).not.toContain('    at ');
    },
  );
});

describe('portolan serve, told to stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'lets a request finish, and does not wait for it after a second %s',
    async (signal) => {
      const upstream = await startUpstream('slow');
      const own = await startPortolan();
      await register(own.control, 'slow', upstream.port);
      const request = fetch(`${own.gateway}/slow/?delayMs=30000`).catch((error: Error) => error);
      const before = performance.now();
      await eventually(async () => {
        const metrics = await fetch(`${own.control}/metrics`).then((reply) => reply.text());
        return /^portolan_gateway_active_requests 1$/m.test(metrics) || undefined;
      });
      own.child.kill('SIGTERM');
      await eventually(() => own.stderr().includes('a second signal stops at once') || undefined);
      expect(own.child.exitCode).toBeNull();
      own.child.kill(signal);
      expect(await own.stop(signal)).toEqual({ code: 1, signal: null });
      expect(performance.now() - before).toBeLessThan(10_000);
      expect(own.stderr()).toContain('second signal: stopping without waiting');
      expect(await request).toBeInstanceOf(Error);
      await own.dispose();
      await upstream.stop('SIGKILL');
    },
  );
});
