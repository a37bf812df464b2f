import { isPortolanError, type PortolanError } from '@portolan/client';
import { isRegistryError, type Problem } from '@portolan/core';
import { CliError } from './cli-error.ts';
import type { CliContext } from './context.ts';
import { EXIT_CODES, type ExitName } from './exit-codes.ts';
import { toPrintable } from './output/printable.ts';

/** Tells the user what went wrong and what to do, on standard error; returns the exit code. */
export function reportError(error: unknown, context: CliContext): number {
  const say = (line: string) => context.stderr.write(`${toPrintable(line)}\n`);
  const sayAll = (lines: readonly string[]) => lines.forEach((line) => void say(`  ${line}`));
  if (error instanceof CliError) {
    say(`portolan: ${error.message}`);
    sayAll(error.hints);
    return error.exitCode;
  }
  if (isPortolanError(error)) {
    say(`portolan: ${error.message}${error.status > 0 ? ` (${error.code})` : ''}`);
    sayAll(describeProblems(error));
    sayAll(hintsFor(error));
    return EXIT_CODES[exitFor(error)].code;
  }
  if (isRegistryError(error)) {
    say(`portolan: ${error.message} (${error.code})`);
    sayAll(describeProblems(error));
    return EXIT_CODES.failure.code;
  }
  say(`portolan: ${error instanceof Error ? error.message : String(error)}`);
  if (context.env.PORTOLAN_DEBUG && error instanceof Error && error.stack) {
    context.stderr.write(`${error.stack}\n`);
  } else say('  This is a fault in portolan; PORTOLAN_DEBUG=1 shows where.');
  return EXIT_CODES.failure.code;
}

function exitFor(error: PortolanError): ExitName {
  if (error.code === 'REGISTRY_UNREACHABLE') return 'unreachable';
  if (error.status === 404 && error.code !== 'PATH_NOT_FOUND') return 'notFound';
  return error.status === 409 || error.status === 412 ? 'conflict' : 'failure';
}

function hintsFor(error: PortolanError): readonly string[] {
  if (error.code === 'REGISTRY_UNREACHABLE') {
    return [
      'Start one with `portolan serve`, or name another with --registry URL or PORTOLAN_REGISTRY.',
    ];
  }
  if (error.code === 'ANSWER_INVALID' || error.code === 'PATH_NOT_FOUND') {
    return ['--registry has to be the control port (8500 by default), not the gateway.'];
  }
  return error.status >= 500 && error.requestId
    ? [`The registry logged it under request id ${error.requestId}.`]
    : [];
}

/** A line for each problem that the message does not name already. */
function describeProblems(error: {
  readonly message: string;
  readonly problems: readonly Problem[];
}): readonly string[] {
  return error.problems
    .map(
      ({ path, expected, found }) =>
        `${path}: expected ${expected}${found === undefined ? '' : `, found ${found}`}`,
    )
    .filter((line) => !error.message.includes(line));
}
