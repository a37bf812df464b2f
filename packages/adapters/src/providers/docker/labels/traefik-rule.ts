import type { FieldMatch, PathMatch, RouteMatch } from '@portolan/core';

/** A rule in the form routes have: any of these, each for its hosts. */
export type RuleTerms = readonly {
  readonly hosts: readonly string[];
  readonly match: RouteMatch;
}[];

/** What a rule says that cannot be kept. */
export class RuleError extends Error {
  override readonly name = 'RuleError';
}

interface Token {
  readonly kind: 'name' | 'text' | 'mark';
  readonly value: string;
}

interface Term {
  readonly host?: string;
  readonly path?: PathMatch;
  readonly methods?: readonly string[];
  readonly headers?: Readonly<Record<string, FieldMatch>>;
  readonly query?: Readonly<Record<string, FieldMatch>>;
  readonly sources?: readonly string[];
}

const TERM_LIMIT = 64;

/**
 * Reads a router's rule: `Host`, `Path`, `PathPrefix`, `Method`, `Header(s)`, `Query` and `ClientIP`, joined by `&&`, `||` and
 * brackets. Throws a `RuleError` for anything else: a rule that is half kept sends requests where they do not belong.
 */
export function parseTraefikRule(rule: string): RuleTerms {
  const tokens = tokenize(rule);
  let at = 0;
  const peek = (): string | undefined =>
    tokens[at]?.kind === 'mark' ? tokens[at]?.value : undefined;

  function either(): Term[] {
    const terms = both();
    while (peek() === '||') {
      at++;
      terms.push(...both());
      if (terms.length > TERM_LIMIT) throw new RuleError(`has more than ${TERM_LIMIT} cases`);
    }
    return terms;
  }

  function both(): Term[] {
    let terms = one();
    while (peek() === '&&') {
      at++;
      const others = one();
      terms = terms.flatMap((left) => others.map((right) => join(left, right)));
      if (terms.length > TERM_LIMIT) throw new RuleError(`has more than ${TERM_LIMIT} cases`);
    }
    return terms;
  }

  function one(): Term[] {
    if (peek() === '!') throw new RuleError('negates with !, which is not supported');
    if (peek() === '(') {
      at++;
      const inner = either();
      if (peek() !== ')') throw new RuleError('has a bracket that is not closed');
      at++;
      return inner;
    }
    const name = tokens[at++];
    if (name?.kind !== 'name' || peek() !== '(') throw new RuleError('is not a rule');
    at++;
    const words: string[] = [];
    while (peek() !== ')') {
      const word = tokens[at++];
      if (word?.kind !== 'text') throw new RuleError(`has no texts in ${name.value}(…)`);
      words.push(word.value);
      if (peek() === ',') at++;
    }
    at++;
    return toTerms(name.value, words);
  }

  const terms = either();
  if (at < tokens.length) throw new RuleError('goes on after its end');
  return collect(terms);
}

function tokenize(rule: string): readonly Token[] {
  const tokens: Token[] = [];
  const pattern = /\s*(?:(&&|\|\||[(),!])|([A-Za-z]+)|`([^`]*)`|"((?:[^"\\]|\\.)*)"|'([^']*)')/y;
  let last = 0;
  for (let match = pattern.exec(rule); match; match = pattern.exec(rule)) {
    last = pattern.lastIndex;
    if (match[1] !== undefined) tokens.push({ kind: 'mark', value: match[1] });
    else if (match[2] !== undefined) tokens.push({ kind: 'name', value: match[2] });
    else tokens.push({ kind: 'text', value: match[3] ?? match[4] ?? match[5] ?? '' });
  }
  if (rule.slice(last).trim() !== '')
    throw new RuleError(`is not understood at ${rule.slice(last, last + 20)}`);
  if (tokens.length === 0) throw new RuleError('is empty');
  return tokens;
}

function toTerms(name: string, words: readonly string[]): Term[] {
  const [first = '', second = ''] = words;
  if (words.length === 0) throw new RuleError(`has nothing in ${name}()`);
  switch (name.toLowerCase()) {
    case 'host':
      return words.map((host) => ({ host: host.toLowerCase() }));
    case 'path':
      return words.map((path) => ({ path: { exact: plainPath(path) } }));
    case 'pathprefix':
      // Traefik's prefix does not end at a segment.
      return words.map((path) => ({ path: { startsWith: plainPath(path) } }));
    case 'method':
      return [{ methods: words.map((method) => method.toUpperCase()) }];
    case 'header':
    case 'headers':
      return [{ headers: { [first.toLowerCase()]: { exact: second } } }];
    case 'query':
      if (words.length === 1 && first.includes('=')) {
        const at = first.indexOf('=');
        return [{ query: { [first.slice(0, at)]: { exact: first.slice(at + 1) } } }];
      }
      return [{ query: { [first]: words.length > 1 ? { exact: second } : { present: true } } }];
    case 'clientip':
      return [{ sources: words }];
    default:
      throw new RuleError(`uses ${name}, which is not supported`);
  }
}

function plainPath(path: string): string {
  if (path.includes('{')) throw new RuleError(`has a pattern in ${path}, which is not supported`);
  if (!path.startsWith('/')) throw new RuleError(`has a path that does not begin with /: ${path}`);
  return path;
}

function join(left: Term, right: Term): Term {
  for (const key of ['host', 'path', 'methods', 'sources'] as const) {
    if (left[key] !== undefined && right[key] !== undefined) {
      throw new RuleError(`asks for two of ${key} at once`);
    }
  }
  return {
    ...left,
    ...right,
    ...(left.headers || right.headers ? { headers: { ...left.headers, ...right.headers } } : {}),
    ...(left.query || right.query ? { query: { ...left.query, ...right.query } } : {}),
  };
}

/** Hosts with the same match in one. */
function collect(terms: readonly Term[]): RuleTerms {
  const byMatch = new Map<string, { hosts: string[]; match: RouteMatch }>();
  for (const { host, ...match } of terms) {
    const key = JSON.stringify([host === undefined, match]);
    const known = byMatch.get(key);
    if (!known) byMatch.set(key, { hosts: host === undefined ? [] : [host], match });
    else if (host !== undefined && !known.hosts.includes(host)) known.hosts.push(host);
  }
  return [...byMatch.values()];
}
