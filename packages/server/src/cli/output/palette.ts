import { styleText } from 'node:util';
import type { Status } from '@portolan/core';
import type { CliContext, OutputStream } from '../context.ts';

export type Style = (text: string) => string;

export interface Palette {
  readonly head: Style;
  readonly good: Style;
  readonly warning: Style;
  readonly bad: Style;
  readonly quiet: Style;
}

const PLAIN: Style = (text) => text;
const PLAIN_PALETTE: Palette = {
  head: PLAIN,
  good: PLAIN,
  warning: PLAIN,
  bad: PLAIN,
  quiet: PLAIN,
};

function style(...format: Parameters<typeof styleText>[0][]): Style {
  return (text) =>
    styleText(format.flat() as Parameters<typeof styleText>[0], text, { validateStream: false });
}

const COLOURED_PALETTE: Palette = {
  head: style('bold'),
  good: style('green'),
  warning: style('yellow'),
  bad: style('red'),
  quiet: style('dim'),
};

/** Colours when `stream` is a terminal and nobody asked for none (`--no-color`, NO_COLOR, TERM=dumb). */
export function paletteFor(
  stream: OutputStream,
  context: Pick<CliContext, 'env'>,
  options: { readonly color: boolean },
): Palette {
  const wanted =
    options.color && !context.env.NO_COLOR && context.env.TERM !== 'dumb' && stream.isTTY === true;
  return wanted ? COLOURED_PALETTE : PLAIN_PALETTE;
}

export function statusStyle(palette: Palette, status: Status): Style {
  if (status === 'passing') return palette.good;
  return status === 'critical' ? palette.bad : palette.warning;
}
