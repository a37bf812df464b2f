import type { Command } from 'commander';
import type { CliContext } from './context.ts';

/** Adds one command, complete with options and action, to the program. */
export type AddCommand = (program: Command, context: CliContext) => void;

export interface CommandEntry {
  readonly name: string;
  /** One line, shown by `portolan --help` without loading the command. */
  readonly summary: string;
  readonly load: () => Promise<AddCommand>;
}

/** Every command in the order of `portolan --help`. A command's module is loaded only when it is named. */
export const COMMANDS: readonly CommandEntry[] = [];
