import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '@portolan/client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CheckingProxy, startCheckingProxy } from '../support/checking-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';

const PROGRAM = fileURLToPath(new URL('./application.ts', import.meta.url));

interface Knowledge {
  readonly state: string;
  readonly stale: boolean;
  readonly known: readonly string[];
  readonly pick: string | null;
}

let folder = '';
let portolan: PortolanProcess;
/** What applications talk to: every answer and event they get is checked against the API document. */
let registry: CheckingProxy;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portolan-client-'));
  portolan = await startPortolan({ dataDir: join(folder, 'data'), cwd: folder });
  registry = await startCheckingProxy(portolan.control);
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await portolan.dispose();
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

async function startApplication(name: string) {
  const child = spawn(process.execPath, ['--no-warnings', PROGRAM], {
    env: {
      ...process.env,
      REGISTRY: registry.origin,
      SNAPSHOT_DIR: join(folder, 'snapshots'),
      NAME: name,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const port = await eventually(() => /port (\d+)/.exec(said)?.[1], 10_000);
  const look = async (): Promise<Knowledge> => {
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    return (await answer.json()) as Knowledge;
  };
  return {
    child,
    said: () => said,
    look,
    until: (holds: (seen: Knowledge) => boolean) =>
      eventually(async () => {
        const seen = await look();
        if (holds(seen)) return seen;
        throw new Error(JSON.stringify(seen));
      }, 15_000),
  };
}

/** The registry again, on the port it had. */
async function restart(dataDir: string): Promise<void> {
  const { host } = new URL(portolan.control);
  portolan = await startPortolan({ dataDir, cwd: folder, args: ['--control', host] });
}

const registered = async () =>
  (await createClient({ url: portolan.control }).instances.list({ service: 'app' })).map(
    ({ id }) => id,
  );

describe('an application that embeds the client', () => {
  test('goes on picking while the registry is killed, and heartbeats on when it is back', async () => {
    const one = await startApplication('one');
    const two = await startApplication('two');
    for (const app of [one, two]) await app.until(({ known }) => known.length === 2);

    await portolan.stop('SIGKILL');
    const away = await one.until(({ stale, state }) => stale && state === 'away');
    expect([...away.known].sort()).toEqual(['one', 'two']);
    const picks = new Set([(await one.look()).pick, (await one.look()).pick]);
    expect(picks).toEqual(new Set(['one', 'two']));

    await restart(join(folder, 'data'));
    expect((await registered()).sort()).toEqual(['one', 'two']);
    await one.until(({ stale, state }) => !stale && state === 'registered');
    await two.until(({ stale, state }) => !stale && state === 'registered');
    // Known all the time: nobody had to register again.
    expect(one.said().match(/registered/g)).toHaveLength(1);

    two.child.kill('SIGKILL');
    await one.until(({ known }) => known.length === 1);
    expect((await one.look()).pick).toBe('one');
  });

  test('registers again with a registry that has lost everything', async () => {
    const one = await startApplication('one');
    await one.until(({ known }) => known.length === 1);
    await portolan.stop('SIGKILL');
    await restart(join(folder, 'empty'));
    await eventually(async () => ((await registered()).length === 1 ? true : undefined), 15_000);
    await one.until(({ stale, known }) => !stale && known.length === 1);
  });

  test('starts without a registry from what an earlier run left on disk', async () => {
    const one = await startApplication('one');
    await one.until(({ known }) => known.length === 1);
    const snapshot = join(folder, 'snapshots', 'default.default.app.json');
    await eventually(async () =>
      (await readFile(snapshot, 'utf8')).includes('"one"') ? true : undefined,
    );
    await portolan.stop('SIGKILL');
    const cold = await startApplication('cold');
    expect(await cold.until(({ pick }) => pick !== null)).toEqual({
      state: 'registering',
      stale: true,
      known: ['one'],
      pick: 'one',
    });
    await restart(join(folder, 'data'));
    const warm = await cold.until(({ stale, known }) => !stale && known.length === 2);
    expect([...warm.known].sort()).toEqual(['cold', 'one']);
  });

  test('leaves before it ends: deregistered at SIGTERM, still serving until drained', async () => {
    const one = await startApplication('one');
    await one.until(({ known }) => known.length === 1);
    const ended = once(one.child, 'exit');
    one.child.kill('SIGTERM');
    await eventually(async () => ((await registered()).length === 0 ? true : undefined));
    expect((await one.look()).state).toBe('closed');
    expect(await ended).toEqual([null, 'SIGTERM']);
    expect(one.said()).toContain('drained');
  });
});
