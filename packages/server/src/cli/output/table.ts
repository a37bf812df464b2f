import { stripVTControlCharacters } from 'node:util';
import type { Style } from './palette.ts';
import { toPrintable } from './printable.ts';

/** A cell's text, or with how it is to be coloured. */
export type Cell = string | { readonly text: string; readonly style: Style };

export interface TableOptions {
  /** The terminal's width; absent: rows are as long as they are. */
  readonly width?: number | undefined;
  readonly headerStyle: Style;
  /** Columns that may be cut to fit the width; ids and addresses are to be copied, so they never are. */
  readonly flexible?: readonly boolean[];
}

const GAP = '  ';
const NARROWEST = 6;

/** Aligned columns under capital heads. When a width is set, flexible columns give way to it, or are left out. */
export function renderTable(
  heads: readonly string[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions,
): string {
  const texts = rows.map((row) => row.map((cell) => toPrintable(textOf(cell)) || '-'));
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...texts.map((row) => widthOf(row[column] ?? ''))),
  );
  if (options.width !== undefined) shrink(widths, options.width, options.flexible ?? []);
  const lines = [line(heads, widths, () => options.headerStyle)];
  for (const [index, row] of rows.entries()) {
    lines.push(line(texts[index] ?? [], widths, (column) => styleOf(row[column])));
  }
  return `${lines.join('\n')}\n`;
}

function line(
  texts: readonly string[],
  widths: readonly number[],
  style: (column: number) => Style,
): string {
  const cells = widths.flatMap((width, column) => {
    if (width === 0) return [];
    const text = clip(texts[column] ?? '', width);
    const padding = column === widths.length - 1 ? '' : ' '.repeat(width - widthOf(text));
    return style(column)(text) + padding;
  });
  return cells.join(GAP).trimEnd();
}

/** Takes from the widest flexible column; one that would say nothing any more gets width 0. */
function shrink(widths: number[], available: number, flexible: readonly boolean[]): void {
  const excess = (): number =>
    widths.reduce((sum, width) => sum + (width === 0 ? 0 : width + GAP.length), -GAP.length) -
    available;
  while (excess() > 0) {
    let widest = -1;
    for (const [column, width] of widths.entries()) {
      if (flexible[column] && width > 0 && width >= (widths[widest] ?? 1)) widest = column;
    }
    if (widest < 0) return;
    const width = widths[widest] ?? 0;
    widths[widest] = width > NARROWEST ? width - 1 : 0;
  }
}

function clip(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  return `${[...text].slice(0, width - 1).join('')}…`;
}

function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text;
}

function styleOf(cell: Cell | undefined): Style {
  return cell === undefined || typeof cell === 'string' ? (text) => text : cell.style;
}
