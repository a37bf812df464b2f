import { posix } from 'node:path';
import { lineAt, type SourceFile, type SourceTree } from './source-tree.ts';
import type { LayerRule, Violation } from './violation.ts';

const MAX_LINES = 450;
const NAMELESS = /^(?:utils?|helpers?|common|misc)\b/;

export const namedExports: LayerRule = {
  name: 'every export is named',
  check: (tree) =>
    eachMatch(tree.files, /\bexport\s*(?:type\s*)?\*|\bexport\s+default\b|\bas\s+default\b/g),
};

export const injectedTime: LayerRule = {
  name: 'time and randomness come from Clock and Random',
  check: (tree) =>
    eachMatch(
      tree.files.filter((file) => !file.isTest),
      new RegExp(
        [
          String.raw`\bDate\s*\.\s*now\b`,
          String.raw`\bnew\s+Date\s*(?:\(\s*\)|(?![\s(\w]))`,
          // A method of that name, `socket.setTimeout`, is another thing; a property of the global object is not.
          String.raw`(?<!(?<!globalThis)[.#])\bset(?:Timeout|Interval|Immediate)\b(?=\s*(?:\(|as\b|[,;)}]))`,
          String.raw`\bperformance\s*\.\s*now\b`,
          String.raw`\bMath\s*\.\s*random\b`,
          String.raw`\bAbortSignal\s*\.\s*timeout\b`,
          String.raw`\bhrtime\b`,
        ].join('|'),
        'g',
      ),
    ),
};

export const namedSubjects: LayerRule = {
  name: 'a file is named after its subject',
  check: (tree) =>
    tree.files
      .filter(({ path }) => path.split('/').some((part) => NAMELESS.test(part)))
      .map(({ path }) => ({ path, line: 1, what: `${posix.basename(path)} says nothing` })),
};

export const shortFiles: LayerRule = {
  name: `a file has one subject, in at most ${MAX_LINES} lines`,
  check: (tree) =>
    tree.files
      .filter((file) => !file.isTest)
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > MAX_LINES)
      .map(({ path, lines }) => ({ path, line: lines, what: `${lines} lines` })),
};

function eachMatch(files: SourceTree['files'], pattern: RegExp): Violation[] {
  return files.flatMap((file: SourceFile) =>
    [...file.code.matchAll(pattern)].map((match) => ({
      path: file.path,
      line: lineAt(file.code, match.index),
      what: match[0].replaceAll(/\s+/g, ' '),
    })),
  );
}
