/** Something that was read has not the shape it should have. */
export class ShapeError extends Error {
  /** JSON path of the value, from `$`. */
  readonly path: string;
  /** What belongs there. */
  readonly expected: string;

  constructor(path: string, expected: string) {
    super(`${path} is not ${expected}`);
    this.name = 'ShapeError';
    this.path = path;
    this.expected = expected;
  }
}

/** Reads a value of unknown shape. Throws a `ShapeError`. */
export type Shape<T> = (value: unknown, path: string) => T;

/** A member that may be absent; null counts as absent. */
export interface OptionalShape<T> {
  readonly optional: Shape<T>;
}

type FieldOf<T, K extends keyof T> =
  Record<never, never> extends Pick<T, K> ? OptionalShape<NonNullable<T[K]>> : Shape<T[K]>;

export function optional<T>(shape: Shape<T>): OptionalShape<T> {
  return { optional: shape };
}

export const textShape: Shape<string> = (value, path) => {
  if (typeof value !== 'string') throw new ShapeError(path, 'text');
  return value;
};

export const numberShape: Shape<number> = (value, path) => {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new ShapeError(path, 'a number');
  return value;
};

export const flagShape: Shape<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw new ShapeError(path, 'true or false');
  return value;
};

export function oneOf<const T extends string | number>(...choices: readonly T[]): Shape<T> {
  return (value, path) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new ShapeError(path, `one of ${choices.join(', ')}`);
    return found;
  };
}

export function listOf<T>(item: Shape<T>): Shape<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new ShapeError(path, 'a list');
    return value.map((entry, at) => item(entry, `${path}[${at}]`));
  };
}

/** A map by text; without a prototype, so that a key named `__proto__` is only a key. */
export function mapOf<T>(item: Shape<T>): Shape<Readonly<Record<string, T>>> {
  return (value, path) => {
    const map: Record<string, T> = Object.create(null);
    for (const [key, entry] of Object.entries(asMembers(value, path))) {
      map[key] = item(entry, `${path}.${key}`);
    }
    return map;
  };
}

/** An object with every member of `T`; members that it does not know are left out. */
export function objectOf<T extends object>(
  fields: {
    readonly [K in keyof T]-?: FieldOf<T, K>;
  },
): Shape<T> {
  const known = Object.entries(fields) as [string, Shape<unknown> | OptionalShape<unknown>][];
  return (value, path) => {
    const members = asMembers(value, path);
    const read: Record<string, unknown> = {};
    for (const [name, field] of known) {
      const member = members[name];
      if (typeof field === 'function') read[name] = field(member, `${path}.${name}`);
      else if (member !== undefined && member !== null) {
        read[name] = field.optional(member, `${path}.${name}`);
      }
    }
    return read as T;
  };
}

/** An object that has exactly one of the members. */
export function eitherOf<T extends object>(variants: Readonly<Record<string, Shape<unknown>>>) {
  const names = Object.keys(variants);
  const expected = `an object with one of ${names.join(', ')}`;
  return (value: unknown, path: string): T => {
    const members = asMembers(value, path);
    const present = names.filter((name) => members[name] !== undefined);
    const [name] = present;
    const shape = name === undefined ? undefined : variants[name];
    if (name === undefined || shape === undefined || present.length > 1) {
      throw new ShapeError(path, expected);
    }
    return { [name]: shape(members[name], `${path}.${name}`) } as T;
  };
}

/** The members of an object. Throws a `ShapeError` for anything else. */
export function asMembers(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ShapeError(path, 'an object');
  }
  return value as Readonly<Record<string, unknown>>;
}
