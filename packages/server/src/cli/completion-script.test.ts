import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runToEnd } from './test-support/run-cli.ts';

const bash = spawnSync('bash', ['--version']).status === 0;
let folder = '';
let script = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portolan-completion-'));
  script = join(folder, 'portolan.bash');
  const { code, stdout } = await runToEnd(['completion', 'bash']);
  expect(code).toBe(0);
  writeFileSync(script, stdout);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What a bash offers when Tab is pressed after these words; the last one is unfinished. */
function complete(...words: string[]): string[] {
  const all = ['portolan', ...words];
  const { stdout, stderr } = spawnSync(
    'bash',
    [
      '--norc',
      '-c',
      `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _portolan 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`,
      'bash',
      script,
      ...all,
    ],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

// Skipped on a machine without bash: there is nothing to complete.
describe.runIf(bash)('completion in a real bash', () => {
  test('offers commands, and those below them', () => {
    expect(complete('')).toEqual(expect.arrayContaining(['agent', 'serve', 'services', 'route']));
    expect(complete('inst')).toEqual(['instances', 'instance']);
    expect(complete('route', 's')).toEqual(['set']);
    expect(complete('instance', 'ma')).toEqual(['maintenance']);
  });

  test('offers options of the place, wherever global ones stand', () => {
    expect(complete('agent', '--dr')).toEqual(['--drain']);
    expect(complete('--registry', 'http://x', 'route', 'weights', '--reg')).toEqual(['--registry']);
    expect(complete('route', 'set', '--bal')).toEqual(['--balancer']);
  });

  test('offers the choices of an option', () => {
    expect(complete('services', '-o', '')).toEqual(['table', 'json', 'wide', 'name']);
    expect(complete('instances', '--status', 'c')).toEqual(['critical']);
    expect(complete('completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']));
  });

  test('leaves what follows -- to the application', () => {
    expect(complete('agent', '--service', 'web', '--', 'serv')).toEqual([]);
  });
});

test('a script for every shell is made', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await runToEnd(['completion', shell]);
    expect([code, stdout.includes('weights')]).toEqual([0, true]);
  }
  expect((await runToEnd(['completion', 'tcsh'])).code).toBe(2);
});
