import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runToEnd } from './test-support/run-cli.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];
let folder = '';

/** Whether the shell is on this machine; says so where it is not. */
function has(shell: Shell): boolean {
  if (spawnSync(shell, ['--version']).status === 0) return true;
  process.stderr.write(`SKIPPED: completion in ${shell}: ${shell} is not installed\n`);
  return false;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portolan-completion-'));
  for (const shell of SHELLS) {
    const { code, stdout } = await runToEnd(['completion', shell]);
    expect(code).toBe(0);
    writeFileSync(scriptOf(shell), stdout);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const scriptOf = (shell: Shell): string => join(folder, `portolan.${shell}`);

/** What the shell prints, a candidate a line. */
function ask(shell: Shell, args: readonly string[]): string[] {
  const env = { ...process.env, HOME: folder, ZDOTDIR: folder, XDG_CONFIG_HOME: folder };
  const options = { encoding: 'utf8', env, timeout: 15_000 } as const;
  const { stdout, stderr } = spawnSync(shell, args, options);
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

/** What a bash offers when Tab is pressed after these words; the last one is unfinished. */
function bashOffers(...words: string[]): string[] {
  return ask('bash', [
    '--norc',
    '-c',
    `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _portolan 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`,
    'bash',
    scriptOf('bash'),
    'portolan',
    ...words,
  ]);
}

/** Prepares the inner shell: candidates are printed instead of shown, and Ctrl-X asks for them. */
const ZSH_SETUP = `
PS1= PS2= RPS1=; setopt no_prompt_cr no_beep; autoload -Uz compinit && compinit -D -u
source $SCRIPT
compadd() { local -a hits; builtin compadd -O hits "$@"; (( $#hits )) && print -l -- 'hit:'$^hits }
_files() { : }
ask() { zle complete-word; print 'do''ne'; BUFFER= }
zle -C complete-word complete-word _main_complete; zle -N ask; bindkey '^X' ask
print 'rea''dy'
`;
const ZSH_PROGRAM = `
zmodload zsh/zpty
zpty inner 'TERM=dumb zsh -f -i'
said() { local text part; until [[ $text == *"$1"* ]]; do zpty -r inner part || exit 3; text+=$part; done; REPLY=$text }
zpty -w inner "SCRIPT=$1 source $2"
said ready
zpty -w -n inner "portolan $3"$'\\x18'
said done
print -r -- "$REPLY"
`;

/** What an interactive zsh, in a terminal of its own, offers at the end of the line. */
function zshOffers(...words: string[]): string[] {
  const setup = join(folder, 'setup.zsh');
  writeFileSync(setup, ZSH_SETUP);
  const args = ['zsh', scriptOf('zsh'), setup, words.join(' ')];
  const lines = ask('zsh', ['-f', '-c', ZSH_PROGRAM, ...args]);
  return lines.flatMap((line) => /hit:([\w.-]+)/.exec(line)?.[1] ?? []);
}

/** What a fish offers at the end of the line. */
function fishOffers(...words: string[]): string[] {
  const line = `portolan ${words.join(' ')}`;
  const program = 'source $argv[1]; complete -C $argv[2]';
  const lines = ask('fish', ['--no-config', '-c', program, scriptOf('fish'), line]);
  return lines.map((each) => each.split('\t')[0] ?? '');
}

const OFFERS = { bash: bashOffers, zsh: zshOffers, fish: fishOffers };

describe.each(SHELLS.filter(has))('completion in a real %s', (shell) => {
  // In which order is the shell's own affair.
  const complete = (...words: string[]) => OFFERS[shell](...words).sort();

  test('offers commands, and those below them', () => {
    expect(complete('')).toEqual(expect.arrayContaining(['agent', 'serve', 'services', 'route']));
    expect(complete('inst')).toEqual(['instance', 'instances']);
    expect(complete('route', 's')).toEqual(['set']);
    expect(complete('instance', 'ma')).toEqual(['maintenance']);
  });

  test('offers options of the place, wherever global ones stand', () => {
    expect(complete('agent', '--dr')).toEqual(['--drain']);
    expect(complete('--registry', 'http://x', 'route', 'weights', '--reg')).toEqual(['--registry']);
    expect(complete('route', 'set', '--bal')).toEqual(['--balancer']);
  });

  test('offers the choices of an option', () => {
    expect(complete('services', '-o', '')).toEqual(['json', 'name', 'table', 'wide']);
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
