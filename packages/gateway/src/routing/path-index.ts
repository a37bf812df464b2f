import {
  type CompiledMatch,
  compareMatches,
  meetsConditions,
  type RouteQuery,
} from './route-match.ts';
import type { TextMatcher } from './text-matcher.ts';

/** A path that no map can find: a pattern, a text that ends anywhere, or one in any case. */
interface ListedPath<R> {
  readonly length: number;
  readonly matches: TextMatcher;
  readonly candidates: CompiledMatch<R>[];
}

type Matches<R> = readonly CompiledMatch<R>[];

/**
 * Matches of one host and priority by path. Exact paths come first, then patterns (longest first), then prefixes and beginnings,
 * longest first; of equal length the prefix that ends at a segment. What fails a condition falls through to the next.
 */
export class PathIndex<R> {
  readonly #exact = new Map<string, CompiledMatch<R>[]>();
  readonly #exactFolded = new Map<string, CompiledMatch<R>[]>();
  /** By prefix without trailing slash. */
  readonly #prefixes = new Map<string, CompiledMatch<R>[]>();
  readonly #patterns = new Map<string, ListedPath<R>>();
  readonly #beginnings = new Map<string, ListedPath<R>>();
  #sortedPatterns: readonly ListedPath<R>[] = [];
  #sortedBeginnings: readonly ListedPath<R>[] = [];
  #longestPrefix = 0;

  add(match: CompiledMatch<R>): void {
    const { kind, text, ignoreCase, pattern } = match.path;
    if (kind === 'exact') append(ignoreCase ? this.#exactFolded : this.#exact, text, match);
    else if (pattern) {
      list(this.#patterns, `${ignoreCase} ${text}`, match, () => ({
        length: text.length,
        matches: pattern,
      }));
    } else if (kind === 'prefix' && !ignoreCase) {
      this.#longestPrefix = Math.max(this.#longestPrefix, text.length);
      append(this.#prefixes, text, match);
    } else {
      list(this.#beginnings, `${kind} ${ignoreCase} ${text}`, match, () => ({
        length: text.length,
        matches: beginning(text, ignoreCase, kind === 'prefix'),
      }));
    }
  }

  /** To be called once after the last `add`. */
  sort(): void {
    for (const map of [this.#exact, this.#exactFolded, this.#prefixes]) {
      for (const matches of map.values()) matches.sort(compareMatches);
    }
    this.#sortedPatterns = sorted(this.#patterns);
    this.#sortedBeginnings = sorted(this.#beginnings);
  }

  find(query: RouteQuery): CompiledMatch<R> | undefined {
    return (
      this.#findExact(query) ??
      this.#findListed(this.#sortedPatterns, query) ??
      this.#findPrefix(query)
    );
  }

  #findExact(query: RouteQuery): CompiledMatch<R> | undefined {
    if (this.#exact.size > 0) {
      const match = firstMeeting(this.#exact.get(query.path), query);
      if (match) return match;
    }
    if (this.#exactFolded.size === 0) return undefined;
    return firstMeeting(this.#exactFolded.get(query.path.toLowerCase()), query);
  }

  #findListed(paths: readonly ListedPath<R>[], query: RouteQuery): CompiledMatch<R> | undefined {
    for (let at = 0; at < paths.length; at++) {
      const path = paths[at] as ListedPath<R>;
      const match = path.matches(query.path) ? firstMeeting(path.candidates, query) : undefined;
      if (match) return match;
    }
    return undefined;
  }

  #findPrefix(query: RouteQuery): CompiledMatch<R> | undefined {
    const beginnings = this.#sortedBeginnings;
    if (this.#prefixes.size === 0) return this.#findListed(beginnings, query);
    const { path } = query;
    // No stored prefix is longer than `longestPrefix`, so a long path costs no more than a short one.
    const longest = this.#longestPrefix;
    let end = path.length;
    if (end > longest) {
      end = path.charCodeAt(longest) === 47 ? longest : path.lastIndexOf('/', longest);
    }
    let next = 0;
    for (;;) {
      const length = Math.max(0, end);
      for (; next < beginnings.length; next++) {
        const listed = beginnings[next] as ListedPath<R>;
        if (listed.length <= length) break;
        const match = listed.matches(path) ? firstMeeting(listed.candidates, query) : undefined;
        if (match) return match;
      }
      const match = firstMeeting(this.#prefixes.get(path.slice(0, length)), query);
      if (match) return match;
      if (length === 0) break;
      end = path.lastIndexOf('/', end - 1);
    }
    // What is as long as nothing: the beginning ''.
    return this.#findListed(beginnings.slice(next), query);
  }
}

/** Order of hosts' indexes: those of a higher priority first. */
export class PriorityIndex<R> {
  readonly #levels = new Map<number, PathIndex<R>>();
  #sorted: readonly PathIndex<R>[] = [];

  add(priority: number, match: CompiledMatch<R>): void {
    let level = this.#levels.get(priority);
    if (!level) {
      level = new PathIndex<R>();
      this.#levels.set(priority, level);
    }
    level.add(match);
  }

  /** To be called once after the last `add`. */
  sort(): void {
    this.#sorted = [...this.#levels].sort(([a], [b]) => b - a).map(([, level]) => level);
    for (const level of this.#sorted) level.sort();
  }

  find(query: RouteQuery): CompiledMatch<R> | undefined {
    const levels = this.#sorted;
    for (let at = 0; at < levels.length; at++) {
      const match = (levels[at] as PathIndex<R>).find(query);
      if (match) return match;
    }
    return undefined;
  }
}

function firstMeeting<R>(
  matches: Matches<R> | undefined,
  query: RouteQuery,
): CompiledMatch<R> | undefined {
  if (!matches) return undefined;
  for (let at = 0; at < matches.length; at++) {
    const match = matches[at] as CompiledMatch<R>;
    if (meetsConditions(match, query)) return match;
  }
  return undefined;
}

function append<R>(
  map: Map<string, CompiledMatch<R>[]>,
  key: string,
  match: CompiledMatch<R>,
): void {
  const present = map.get(key);
  if (present) present.push(match);
  else map.set(key, [match]);
}

function list<R>(
  map: Map<string, ListedPath<R>>,
  key: string,
  match: CompiledMatch<R>,
  make: () => { length: number; matches: TextMatcher },
): void {
  const present = map.get(key);
  if (present) present.candidates.push(match);
  else map.set(key, { ...make(), candidates: [match] });
}

function sorted<R>(paths: Map<string, ListedPath<R>>): readonly ListedPath<R>[] {
  const all = [...paths.values()];
  for (const { candidates } of all) candidates.sort(compareMatches);
  return all.sort(
    (a, b) =>
      b.length - a.length ||
      compareMatches(a.candidates[0] as CompiledMatch<R>, b.candidates[0] as CompiledMatch<R>),
  );
}

function beginning(text: string, ignoreCase: boolean, endsAtSegment: boolean): TextMatcher {
  return (path) => {
    const compared = ignoreCase ? path.toLowerCase() : path;
    if (!compared.startsWith(text)) return false;
    return !endsAtSegment || compared.length === text.length || compared[text.length] === '/';
  };
}
