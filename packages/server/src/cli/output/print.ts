import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { globalOptions } from '../registry-client.ts';
import { type Palette, paletteFor } from './palette.ts';
import { toPrintable } from './printable.ts';
import { type Cell, renderTable } from './table.ts';

export interface Column<T> {
  readonly head: string;
  readonly cell: (item: T, palette: Palette) => Cell;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
  /** May be cut on a narrow terminal. */
  readonly flexible?: boolean;
}

export interface Listing<T> {
  /** What `-o json` prints. */
  readonly json: unknown;
  readonly items: readonly T[];
  readonly columns: readonly Column<T>[];
  /** What `-o name` prints, a line each. */
  readonly name: (item: T) => string;
  /** Said on standard error instead of an empty table. */
  readonly whenEmpty: string;
}

/** Prints items in the format the command line asks for. */
export function printListing<T>(listing: Listing<T>, command: Command, context: CliContext): void {
  const { output, color } = globalOptions(command);
  if (output === 'json') {
    printJson(listing.json, context);
    return;
  }
  if (output === 'name') {
    const lines = listing.items.map((item) => `${toPrintable(listing.name(item))}\n`);
    context.stdout.write(lines.join(''));
    return;
  }
  if (listing.items.length === 0) {
    context.stderr.write(`${listing.whenEmpty}\n`);
    return;
  }
  const palette = paletteFor(context.stdout, context, { color });
  const columns = listing.columns.filter((column) => !column.wide || output === 'wide');
  const rows = listing.items.map((item) => columns.map((column) => column.cell(item, palette)));
  const heads = columns.map((column) => column.head);
  context.stdout.write(
    renderTable(heads, rows, {
      width: context.stdout.isTTY ? context.stdout.columns : undefined,
      headerStyle: palette.head,
      flexible: columns.map((column) => column.flexible === true),
    }),
  );
}

/** Prints a document, indented. */
export function printJson(document: unknown, context: CliContext): void {
  context.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

/** Prints the outcome of a write: the document for programs, the name for scripts, a sentence for people. */
export function printOutcome(
  outcome: { readonly json: unknown; readonly name: string; readonly sentence: string },
  command: Command,
  context: CliContext,
): void {
  const { output } = globalOptions(command);
  if (output === 'json') printJson(outcome.json, context);
  else {
    const line = output === 'name' ? outcome.name : outcome.sentence;
    context.stdout.write(`${toPrintable(line)}\n`);
  }
}
