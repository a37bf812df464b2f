import { DURATION_EXPECTED, parseDuration, RegistryError, type Revision } from '@portolan/core';
import { nearestName } from './body/did-you-mean.ts';
import { isName } from './schemas/fields.ts';

/** One query parameter as it is checked and documented. */
export interface QueryParameter {
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
  /** May be given several times. */
  readonly repeated?: boolean;
}
export type QueryParameters = Readonly<Record<string, QueryParameter>>;

/** Parameters that begin with this are filters on labels. */
export const LABEL_PREFIX = 'metadata.';

/** Refuses parameters that the call does not know, and repeated ones. */
export function checkQuery(query: URLSearchParams, known: QueryParameters): void {
  if (query.size === 0) return;
  for (const name of query.keys()) {
    const isLabel = name.startsWith(LABEL_PREFIX) && name.length > LABEL_PREFIX.length;
    const key = isLabel ? `${LABEL_PREFIX}<key>` : name;
    const parameter = Object.hasOwn(known, key) ? known[key] : undefined;
    if (parameter === undefined) {
      const nearest = nearestName(name, Object.keys(known));
      throw queryError(
        name,
        nearest ? `no such parameter; did you mean "${nearest}"?` : 'no such parameter',
      );
    }
    if (!parameter.repeated && query.getAll(name).length > 1) {
      throw queryError(name, 'given once only');
    }
  }
}

/** One fault of one query parameter. */
export function queryError(name: string, expected: string, found?: string): RegistryError {
  const shown = found === undefined ? undefined : JSON.stringify(found.slice(0, 64));
  return new RegistryError('QUERY_INVALID', {
    detail: `Query parameter ${JSON.stringify(name.slice(0, 64))}: expected ${expected}${shown ? `, found ${shown}` : ''}.`,
    problems: [
      {
        path: `?${name.slice(0, 64)}`,
        expected,
        ...(shown === undefined ? undefined : { found: shown }),
      },
    ],
  });
}

export function nameParameter(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  if (!isName(value))
    throw queryError(name, 'a name of letters, digits, ".", "_", "-" or ":"', value);
  return value;
}

/** As `nameParameter`, where `*` asks for all: undefined. */
export function scopeParameter(
  query: URLSearchParams,
  name: string,
  fallback: string | undefined,
): string | undefined {
  if (query.get(name) === '*') return undefined;
  return nameParameter(query, name) ?? fallback;
}

export function revisionParameter(query: URLSearchParams, name: string): Revision | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  return toRevision(name, value);
}

export function toRevision(name: string, value: string): Revision {
  const revision = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(revision)) throw queryError(name, 'a revision: a whole number', value);
  return revision;
}

export function booleanParameter(query: URLSearchParams, name: string): boolean | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  if (value !== 'true' && value !== 'false') throw queryError(name, 'true or false', value);
  return value === 'true';
}

export function durationParameter(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  const durationMs = parseDuration(value);
  if (durationMs === undefined) throw queryError(name, DURATION_EXPECTED, value);
  return durationMs;
}
