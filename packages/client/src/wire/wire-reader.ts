import { PortolanError } from '../http/portolan-error.ts';

/** Reads typed members of an answer; anything unexpected is `ANSWER_INVALID` with the path to it. */
export class WireReader {
  readonly #value: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(value: unknown, path = '$') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw unexpected(path, 'an object', value);
    }
    this.#value = value as Record<string, unknown>;
    this.#path = path;
  }

  string(name: string): string {
    const value = this.#value[name];
    if (typeof value !== 'string') throw unexpected(`${this.#path}.${name}`, 'a string', value);
    return value;
  }

  number(name: string): number {
    const value = this.#value[name];
    if (typeof value !== 'number') throw unexpected(`${this.#path}.${name}`, 'a number', value);
    return value;
  }

  boolean(name: string): boolean {
    const value = this.#value[name];
    if (typeof value !== 'boolean') throw unexpected(`${this.#path}.${name}`, 'a boolean', value);
    return value;
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.#value[name];
    const found = choices.find((choice) => choice === value);
    if (found === undefined) {
      throw unexpected(`${this.#path}.${name}`, choices.join(' | '), value);
    }
    return found;
  }

  /** Absent and null are the same. */
  optional<T>(name: string, read: (reader: this, name: string) => T): T | undefined {
    const value = this.#value[name];
    return value === undefined || value === null ? undefined : read(this, name);
  }

  object(name: string): WireReader {
    return new WireReader(this.#value[name], `${this.#path}.${name}`);
  }

  list<T>(name: string, read: (item: unknown, path: string) => T): readonly T[] {
    const value = this.#value[name];
    if (!Array.isArray(value)) throw unexpected(`${this.#path}.${name}`, 'a list', value);
    return value.map((item, index) => read(item, `${this.#path}.${name}[${index}]`));
  }

  strings(name: string): readonly string[] {
    return this.list(name, (item, path) => {
      if (typeof item !== 'string') throw unexpected(path, 'a string', item);
      return item;
    });
  }

  /** Without a prototype: a key named `__proto__` or `constructor` is only a key. */
  labels(name: string): Readonly<Record<string, string>> {
    const labels: Record<string, string> = Object.create(null);
    const value = this.#value[name];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw unexpected(`${this.#path}.${name}`, 'a map of strings', value);
    }
    for (const [key, item] of Object.entries(value)) {
      if (typeof item !== 'string')
        throw unexpected(`${this.#path}.${name}.${key}`, 'a string', item);
      labels[key] = item;
    }
    return labels;
  }
}

/** The error for an answer that holds something else at a path. */
export function unexpected(path: string, expected: string, found: unknown): PortolanError {
  const shown = found === undefined ? 'nothing' : (JSON.stringify(found) ?? 'nothing').slice(0, 80);
  return new PortolanError(
    'ANSWER_INVALID',
    `The registry's answer has ${shown} at ${path} where ${expected} belongs.`,
    { status: 200, problems: [{ path, expected, found: shown }] },
  );
}
