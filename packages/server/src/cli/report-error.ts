import { RegistryError } from '@portolan/core';
import { CliError } from './cli-error.ts';
import type { CliContext } from './context.ts';
import { EXIT_CODES } from './exit-codes.ts';

/** Tells the user what went wrong and what to do, on standard error; returns the exit code. */
export function reportError(error: unknown, context: CliContext): number {
  const say = (line: string) => context.stderr.write(`${line}\n`);
  if (error instanceof CliError) {
    say(`portolan: ${error.message}`);
    for (const hint of error.hints) say(`  ${hint}`);
    return error.exitCode;
  }
  if (error instanceof RegistryError) {
    say(`portolan: ${error.message} (${error.code})`);
    for (const { path, expected, found } of error.problems) {
      say(`  ${path}: expected ${expected}${found === undefined ? '' : `, found ${found}`}`);
    }
    return EXIT_CODES.failure.code;
  }
  say(`portolan: ${error instanceof Error ? error.message : String(error)}`);
  if (context.env.PORTOLAN_DEBUG && error instanceof Error && error.stack) say(error.stack);
  else say('  This is a fault in portolan; PORTOLAN_DEBUG=1 shows where.');
  return EXIT_CODES.failure.code;
}
