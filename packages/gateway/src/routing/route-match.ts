import { type Cidr, matchesCidr, parseCidr, type RouteMatch } from '@portolan/core';
import { compileFieldMatch, compilePattern, type TextMatcher } from './text-matcher.ts';

/** What a route can look at; a field is read only when a condition asks for it. */
export interface RouteQuery {
  /** Lower case, without port; empty when there is none. */
  readonly host: string;
  /** Canonical path, without query. */
  readonly path: string;
  readonly method: string;
  /** Whether the client's connection is encrypted. */
  readonly secure: boolean;
  /** The client's address: the peer's, or the one that trusted proxies tell. */
  readonly clientIp: string;
  /** First value of a field by its lower-case name. */
  header(name: string): string | undefined;
  /** First value of a query parameter, percent-decoded. */
  queryParameter(name: string): string | undefined;
}

/** Something a request has to be besides its host and path. */
export interface Condition {
  /** `method`, `header x-user`, …: for explanations. */
  readonly subject: string;
  holds(query: RouteQuery): boolean;
}

/** One match of one route, ready to be tried and ordered. */
export interface CompiledMatch<R> {
  readonly route: R;
  readonly path: CompiledPath;
  readonly conditions: readonly Condition[];
  /** How specific the conditions are; a greater one goes first. */
  readonly specificity: readonly number[];
  /** Older routes win ties. */
  readonly age: number;
  readonly name: string;
}

/** Whether everything but host and path holds; those were found by lookup. */
export function meetsConditions<R>(match: CompiledMatch<R>, query: RouteQuery): boolean {
  const { conditions } = match;
  for (let at = 0; at < conditions.length; at++) {
    if (!(conditions[at] as Condition).holds(query)) return false;
  }
  return true;
}

/**
 * Order among matches of equal host and path, as the Kubernetes Gateway API's: a method, more headers, more query parameters;
 * then a source and a scheme; then the older route, then the smaller name.
 */
export function compareMatches<R>(a: CompiledMatch<R>, b: CompiledMatch<R>): number {
  for (const [at, own] of a.specificity.entries()) {
    const other = b.specificity[at] ?? 0;
    if (own !== other) return other - own;
  }
  if (a.age !== b.age) return a.age - b.age;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Compiles what a match asks besides host and path. Throws a RangeError for a pattern or network that is none. */
export function compileConditions(match: RouteMatch): {
  readonly conditions: readonly Condition[];
  readonly specificity: readonly number[];
} {
  const conditions: Condition[] = [];
  const methods = match.methods && match.methods.length > 0 ? new Set(match.methods) : undefined;
  if (methods) {
    conditions.push({ subject: 'method', holds: (query) => methods.has(query.method) });
  }
  const { scheme } = match;
  if (scheme !== undefined) {
    const secure = scheme === 'https';
    conditions.push({ subject: 'scheme', holds: (query) => query.secure === secure });
  }
  const headers = Object.entries(match.headers ?? {});
  const without = Object.entries(match.withoutHeaders ?? {});
  for (const [name, field] of headers) {
    const key = name.toLowerCase();
    const matches = compileFieldMatch(field);
    conditions.push({ subject: `header ${key}`, holds: (query) => matches(query.header(key)) });
  }
  for (const [name, field] of without) {
    const key = name.toLowerCase();
    const matches = compileFieldMatch(field);
    conditions.push({
      subject: `without header ${key}`,
      holds: (query) => !matches(query.header(key)),
    });
  }
  const parameters = Object.entries(match.query ?? {});
  for (const [name, field] of parameters) {
    const matches = compileFieldMatch(field);
    conditions.push({
      subject: `query ${name}`,
      holds: (query) => matches(query.queryParameter(name)),
    });
  }
  const sources = (match.sources ?? []).map(readNetwork);
  if (sources.length > 0) {
    conditions.push({
      subject: 'source',
      holds: (query) => matchesCidr(query.clientIp, sources),
    });
  }
  return {
    conditions,
    specificity: [
      methods ? 1 : 0,
      headers.length + without.length,
      parameters.length,
      sources.length > 0 ? 1 : 0,
      scheme === undefined ? 0 : 1,
    ],
  };
}

function readNetwork(text: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr) throw new RangeError(`"${text}" is not an address or a network`);
  return cidr;
}

/** A match's path, ready for lookup. */
export interface CompiledPath {
  readonly kind: 'exact' | 'prefix' | 'startsWith' | 'regex';
  /** What was written: lower case with `ignoreCase`, a prefix without trailing slash ('' for `/`). */
  readonly text: string;
  readonly ignoreCase: boolean;
  /** Of a regex. */
  readonly pattern?: TextMatcher;
}

/** Reads a match's path condition; none is the prefix `/`. Throws a RangeError for a pattern that is none. */
export function compilePath(match: RouteMatch): CompiledPath {
  const { path } = match;
  const ignoreCase = match.ignorePathCase === true;
  const folded = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
  if (path === undefined) return { kind: 'prefix', text: '', ignoreCase: false };
  if ('exact' in path) return { kind: 'exact', text: folded(path.exact), ignoreCase };
  if ('regex' in path) {
    const pattern = compilePattern(path.regex, { ignoreCase });
    return { kind: 'regex', text: path.regex, ignoreCase, pattern };
  }
  if ('startsWith' in path) {
    return { kind: 'startsWith', text: folded(path.startsWith), ignoreCase };
  }
  const text = folded(path.prefix.replace(/\/+$/, ''));
  // An empty prefix holds for every path, in whatever case.
  return { kind: 'prefix', text, ignoreCase: ignoreCase && text !== '' };
}

/** What a rewrite replaces: the exact path or the prefix, as the client wrote it, and with a pattern all of it. */
export function matchedPathOf(path: CompiledPath, asked: string): string {
  if (path.kind === 'regex') return asked;
  return path.ignoreCase ? asked.slice(0, path.text.length) : path.text;
}
