import { badRequest, type ConsulError } from '../consul-error.ts';
import { parseGoDuration } from '../go-duration.ts';

/** Reads one JSON value as Go would read it into a field of this type; null and absent are undefined. */
export interface Decoder<T> {
  /** Go's name of the type, for messages. */
  readonly goType: string;
  decode(value: unknown, field: string): T | undefined;
}

type Fields = Readonly<Record<string, Decoder<unknown>>>;
export type Decoded<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Decoder<infer T> ? T | undefined : never;
};

function decodeFailed(what: string): ConsulError {
  return badRequest(`Request decode failed: ${what}`);
}

function mismatch(value: unknown, field: string, goType: string): ConsulError {
  const found = Array.isArray(value)
    ? 'array'
    : value === true || value === false
      ? 'bool'
      : typeof value;
  return decodeFailed(
    `json: cannot unmarshal ${found} into Go struct field ${field} of type ${goType}`,
  );
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const text: Decoder<string> = {
  goType: 'string',
  decode(value, field) {
    if (isAbsent(value)) return undefined;
    if (typeof value === 'string' && value.isWellFormed()) return value;
    throw mismatch(value, field, this.goType);
  },
};

export const whole: Decoder<number> = {
  goType: 'int',
  decode(value, field) {
    if (isAbsent(value)) return undefined;
    if (Number.isSafeInteger(value)) return value as number;
    throw mismatch(value, field, this.goType);
  },
};

export const flag: Decoder<boolean> = {
  goType: 'bool',
  decode(value, field) {
    if (isAbsent(value)) return undefined;
    if (typeof value === 'boolean') return value;
    throw mismatch(value, field, this.goType);
  },
};

/** Milliseconds, from Go's text or from whole nanoseconds. */
export const duration: Decoder<number> = {
  goType: 'time.Duration',
  decode(value, field) {
    if (isAbsent(value) || value === '') return undefined;
    if (Number.isSafeInteger(value)) return (value as number) / 1e6;
    if (typeof value !== 'string') throw mismatch(value, field, this.goType);
    const durationMs = parseGoDuration(value);
    if (durationMs !== undefined) return durationMs;
    throw decodeFailed(`time: invalid duration ${JSON.stringify(value.slice(0, 64))}`);
  },
};

/** Taken whatever it is: this server does nothing with it. */
export const anything: Decoder<unknown> = {
  goType: 'interface {}',
  decode: (value) => (isAbsent(value) ? undefined : value),
};

export function listOf<T>(item: Decoder<T>): Decoder<readonly T[]> {
  return {
    goType: `[]${item.goType}`,
    decode(value, field) {
      if (isAbsent(value)) return undefined;
      if (!Array.isArray(value)) throw mismatch(value, field, this.goType);
      return value.flatMap((each: unknown) => item.decode(each, field) ?? []);
    },
  };
}

export function mapOf<T>(item: Decoder<T>): Decoder<ReadonlyMap<string, T>> {
  return {
    goType: `map[string]${item.goType}`,
    decode(value, field) {
      if (isAbsent(value)) return undefined;
      if (!isObject(value)) throw mismatch(value, field, this.goType);
      const entries = new Map<string, T>();
      for (const [key, each] of Object.entries(value)) {
        const decoded = item.decode(each, field);
        if (decoded !== undefined) entries.set(key, decoded);
      }
      return entries;
    },
  };
}

/** Keys count without case and without underscores, as Consul's aliases do; keys it does not know are refused. */
export function struct<F extends Fields>(goType: string, fields: F): Decoder<Decoded<F>> {
  const byKey = new Map(Object.keys(fields).map((name) => [foldKey(name), name]));
  const shortName = goType.slice(goType.lastIndexOf('.') + 1);
  return {
    goType,
    decode(value, field) {
      if (isAbsent(value)) return undefined;
      if (!isObject(value)) {
        if (field !== '') throw mismatch(value, field, goType);
        const found = Array.isArray(value) ? 'array' : typeof value;
        throw decodeFailed(`json: cannot unmarshal ${found} into Go value of type ${goType}`);
      }
      const decoded: Record<string, unknown> = {};
      for (const [key, each] of Object.entries(value)) {
        const name = byKey.get(foldKey(key));
        if (name === undefined) {
          throw decodeFailed(`json: unknown field ${JSON.stringify(key.slice(0, 128))}`);
        }
        decoded[name] = fields[name]?.decode(each, `${shortName}.${name}`);
      }
      return decoded as Decoded<F>;
    },
  };
}

function foldKey(key: string): string {
  return key.toLowerCase().replaceAll('_', '');
}
