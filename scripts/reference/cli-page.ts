import { systemClock } from '@portolan/client';
import { seededRandom } from '@portolan/testing';
import type { CliContext } from '../../packages/server/src/cli/context.ts';
import { EXIT_CODES } from '../../packages/server/src/cli/exit-codes.ts';
import { createProgram } from '../../packages/server/src/cli/program.ts';
import { page, table } from './markdown.ts';

type Command = Awaited<ReturnType<typeof createProgram>>;

const WIDTH = 100;

/** The help of every command. */
export async function cliPage(): Promise<string> {
  const program = await createProgram(aContext(), () => true);
  const root = helpOf(program);
  const commands = program.commands.filter((command) => command.name() !== 'help');
  return page('Command line', [
    'Options of `portolan` itself may stand before or after the command.',
    `## portolan\n\n${root}`,
    ...commands.flatMap((command) => sections(command, 'portolan', 2)),
    '## Exit codes',
    table(
      ['code', 'meaning'],
      Object.values(EXIT_CODES).map(({ code, meaning }) => [String(code), meaning]),
    ),
  ]);
}

function sections(command: Command['commands'][number], above: string, level: number): string[] {
  const name = `${above} ${command.name()}`;
  const below = command.commands.filter((child) => child.name() !== 'help');
  return [
    `${'#'.repeat(level)} ${name}\n\n${helpOf(command)}`,
    ...below.flatMap((child) => sections(child, name, level + 1)),
  ];
}

function helpOf(command: Command['commands'][number]): string {
  command.configureHelp({ ...command.configureHelp(), showGlobalOptions: false });
  return `\`\`\`text\n${command.helpInformation().trim()}\n\`\`\``;
}

/** A terminal of a fixed width, in an empty environment. */
function aContext(): CliContext {
  const silent = { write: () => undefined, columns: WIDTH };
  return {
    stdin: (async function* () {})(),
    stdout: silent,
    stderr: silent,
    env: {},
    cwd: '/',
    clock: systemClock,
    random: seededRandom(1),
    onSignal: () => () => undefined,
    exitCode: 0,
    exitNow: () => undefined,
  };
}
