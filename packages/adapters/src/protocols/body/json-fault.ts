import { appendKey } from './json-path.ts';

/** The first thing that makes a text no strict JSON, by position in UTF-16 units. */
export type JsonFault =
  | { readonly kind: 'end' | 'unexpected'; readonly position: number }
  | { readonly kind: 'duplicate'; readonly position: number; readonly path: string };

interface Level {
  readonly path: string;
  /** Absent for arrays. */
  readonly keys?: Set<string>;
  key: string;
  index: number;
}

type Expectation = 'value' | 'value-or-close' | 'key' | 'key-or-close' | 'colon' | 'comma' | 'done';

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERALS = ['true', 'false', 'null'] as const;

/**
 * Finds why `text` was refused. Runs only after the native parser said no or the member count differed, so it may take
 * its time; it never recurses.
 */
export function locateJsonFault(text: string): JsonFault {
  const levels: Level[] = [];
  let expecting: Expectation = 'value';
  let at = 0;
  for (;;) {
    while (isSpace(text.charCodeAt(at))) at++;
    if (at >= text.length) return { kind: 'end', position: text.length };
    const unexpected: JsonFault = { kind: 'unexpected', position: at };
    if (expecting === 'done') return unexpected;
    const character = text[at];
    const level = levels.at(-1);
    if (expecting === 'colon') {
      if (character !== ':') return unexpected;
      expecting = 'value';
      at++;
    } else if (expecting === 'comma' && character === ',') {
      expecting = level?.keys ? 'key' : 'value';
      if (level) level.index++;
      at++;
    } else if (level && character === (level.keys ? '}' : ']') && mayClose(expecting)) {
      levels.pop();
      expecting = levels.length === 0 ? 'done' : 'comma';
      at++;
    } else if (expecting === 'key' || expecting === 'key-or-close') {
      if (character !== '"') return unexpected;
      const end = endOfString(text, at);
      if (end < 0) return stringFault(text, -end - 1);
      const key = String(JSON.parse(text.slice(at, end)));
      if (level?.keys?.has(key)) {
        return { kind: 'duplicate', position: at, path: appendKey(level.path, key) };
      }
      level?.keys?.add(key);
      if (level) level.key = key;
      expecting = 'colon';
      at = end;
    } else if (expecting === 'comma') {
      return unexpected;
    } else if (character === '{' || character === '[') {
      const path = level ? appendKey(level.path, level.keys ? level.key : level.index) : '$';
      levels.push(
        character === '{'
          ? { path, keys: new Set(), key: '', index: 0 }
          : { path, key: '', index: 0 },
      );
      expecting = character === '{' ? 'key-or-close' : 'value-or-close';
      at++;
    } else {
      const end = endOfScalar(text, at);
      if (end < 0) return stringFault(text, -end - 1);
      expecting = levels.length === 0 ? 'done' : 'comma';
      at = end;
    }
  }
}

function mayClose(expecting: Expectation): boolean {
  return expecting === 'comma' || expecting === 'key-or-close' || expecting === 'value-or-close';
}

function stringFault(text: string, position: number): JsonFault {
  return position >= text.length
    ? { kind: 'end', position: text.length }
    : { kind: 'unexpected', position };
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Index after the string, number or literal at `at`; else `-(position of the fault) - 1`. */
function endOfScalar(text: string, at: number): number {
  if (text[at] === '"') return endOfString(text, at);
  for (const literal of LITERALS) {
    if (text.startsWith(literal, at)) return at + literal.length;
    const rest = text.slice(at);
    if (rest.length < literal.length && literal.startsWith(rest)) return -text.length - 1;
  }
  NUMBER.lastIndex = at;
  const number = NUMBER.exec(text);
  if (number) return at + number[0].length;
  return text.slice(at) === '-' ? -text.length - 1 : -at - 1;
}

function endOfString(text: string, at: number): number {
  for (let next = at + 1; next < text.length; next++) {
    const code = text.charCodeAt(next);
    if (code === 0x22) return next + 1;
    if (code < 0x20) return -next - 1;
    if (code !== 0x5c) continue;
    next++;
    if (next >= text.length) break;
    if (text[next] === 'u') {
      for (let digit = 1; digit <= 4; digit++) {
        if (next + digit >= text.length) return -text.length - 1;
        if (!/[0-9a-fA-F]/.test(text[next + digit] ?? '')) return -(next + digit) - 1;
      }
      next += 4;
    } else if (!'"\\/bfnrt'.includes(text[next] ?? ' ')) return -next - 1;
  }
  return -text.length - 1;
}
