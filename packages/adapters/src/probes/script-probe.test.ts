import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ScriptProbeConfig } from '@portolan/core';
import { probeContract } from '@portolan/testing/contracts/probe-contract';
import { describe, expect, test } from 'vitest';
import { createScriptProbe } from './script-probe.ts';
import { clock, deps, live, TARGET } from './test-probes/probe-fixtures.ts';

function script(code: string): ScriptProbeConfig {
  return { kind: 'script', command: [process.execPath, '-e', code] };
}

probeContract<ScriptProbeConfig>(
  'script',
  async () => ({
    probe: createScriptProbe(deps()),
    healthy: script('console.log("fine")'),
    unhealthy: {
      'exit 2': script('process.exit(2)'),
      'a signal': script('process.kill(process.pid, "SIGKILL")'),
      'a program that does not exist': { kind: 'script', command: ['/nonexistent'] },
      'a NUL in an argument': { kind: 'script', command: ['true', '\0'] },
    },
    hanging: { 'it sleeps': script('setInterval(() => 0, 1000)') },
    untilReleased: async () => undefined,
    close: async () => undefined,
  }),
  {
    unhealthy: ['exit 2', 'a signal', 'a program that does not exist', 'a NUL in an argument'],
    hanging: ['it sleeps'],
  },
);

describe('script probe', () => {
  const probe = createScriptProbe({ clock });

  test('reads the exit code and the first line only', async () => {
    expect(
      await probe.check(TARGET, script('console.log("\\nslow\\nmore"); process.exit(1)'), live()),
    ).toMatchObject({ status: 'warning', output: 'exit 1: slow' });
  });

  test('gives no shell and none of the server’s environment', async () => {
    process.env.PORTOLAN_TEST_SECRET = 'x';
    const code =
      'console.log(process.argv[1], process.env.PORTOLAN_TEST_SECRET, process.env.CHECK_PORT)';
    const config: ScriptProbeConfig = {
      kind: 'script',
      command: [process.execPath, '-e', code, '$(id)'],
    };
    expect(await probe.check(TARGET, config, live())).toMatchObject({
      output: 'exit 0: $(id) undefined 80',
    });
    delete process.env.PORTOLAN_TEST_SECRET;
  });

  test('leaves no grandchild, also none that ignores the polite signal', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portolan-probe-'));
    const file = join(folder, 'pid');
    const stubborn = `process.on("SIGTERM", () => 0); require("fs").writeFileSync(${JSON.stringify(file)}, String(process.pid)); setInterval(() => 0, 1000)`;
    const code = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(stubborn)}], { stdio: "inherit" })`;
    const controller = new AbortController();
    const asked = probe.check(TARGET, script(code), controller.signal);
    while (!existsSync(file) || (await readFile(file, 'utf8')) === '') {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const pid = Number(await readFile(file, 'utf8'));
    controller.abort();
    expect(await asked).toMatchObject({ output: expect.stringContaining('did not end in time') });
    expect(await isGone(pid)).toBe(true);
    await rm(folder, { recursive: true });
  });
});

/** A killed orphan may stay a zombie until somebody reaps it. */
async function isGone(pid: number): Promise<boolean> {
  try {
    return / Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}
