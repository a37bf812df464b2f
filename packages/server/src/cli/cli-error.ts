import { EXIT_CODES, type ExitName } from './exit-codes.ts';

export interface CliErrorOptions {
  /** Default `failure`. */
  readonly exit?: ExitName;
  /** Lines that say what to do next. */
  readonly hints?: readonly string[];
  readonly cause?: unknown;
}

/** Ends the command with a message for people and a documented exit code. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  readonly hints: readonly string[];

  constructor(message: string, options: CliErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = EXIT_CODES[options.exit ?? 'failure'].code;
    this.hints = options.hints ?? [];
  }
}
