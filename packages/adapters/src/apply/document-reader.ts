import type { Document, LineCounter } from 'yaml';

/** Something in a file that cannot be, with its place and what to do. */
export interface DocumentProblem {
  readonly line: number;
  readonly column: number;
  /** Dotted, such as `spec.http[0].match`. */
  readonly path: string;
  readonly message: string;
}

export type Members = Readonly<Record<string, unknown>>;
export type Path = readonly (string | number)[];

/** Reads one YAML document, and gathers what is wrong with it. */
export class DocumentReader {
  readonly problems: DocumentProblem[] = [];
  readonly warnings: DocumentProblem[] = [];
  readonly #document: Document;
  readonly #lines: LineCounter;

  constructor(document: Document, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  refuse(path: Path, message: string): void {
    this.problems.push(this.#at(path, message));
  }

  warn(path: Path, message: string): void {
    this.warnings.push(this.#at(path, message));
  }

  lineOf(path: Path): number {
    return this.#at(path, '').line;
  }

  /** An object whose members are all known; undefined, and told, for anything else. */
  members(value: unknown, path: Path, known: readonly string[], remedies: Members = {}): Members {
    if (value === undefined || value === null) return {};
    if (typeof value !== 'object' || Array.isArray(value)) {
      this.refuse(path, 'expected an object');
      return {};
    }
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      const remedy = remedies[key];
      this.refuse(
        [...path, key],
        typeof remedy === 'string'
          ? remedy
          : `is not known here; known are ${[...known].sort().join(', ')}`,
      );
    }
    return value as Members;
  }

  list(value: unknown, path: Path): readonly unknown[] {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value;
    this.refuse(path, 'expected a list');
    return [];
  }

  text(value: unknown, path: Path): string {
    if (typeof value === 'string') return value;
    if (value !== undefined) this.refuse(path, 'expected text');
    return '';
  }

  #at(path: Path, message: string): DocumentProblem {
    // The deepest part that is there: what is missing has no place of its own.
    for (let length = path.length; length >= 0; length--) {
      const node = this.#document.getIn(path.slice(0, length), true) as
        | { readonly range?: readonly number[] | null }
        | undefined;
      const start = node?.range?.[0];
      if (start === undefined) continue;
      const { line, col } = this.#lines.linePos(start);
      return { line, column: col, path: formatPath(path), message };
    }
    return { line: 1, column: 1, path: formatPath(path), message };
  }
}

export function formatPath(path: Path): string {
  return path
    .map((key, at) => (typeof key === 'number' ? `[${key}]` : at === 0 ? key : `.${key}`))
    .join('');
}
