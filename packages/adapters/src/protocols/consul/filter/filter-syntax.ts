import { badRequest, type ConsulError } from '../consul-error.ts';

export type MatchOperator =
  | 'Equal'
  | 'Not Equal'
  | 'In'
  | 'Not In'
  | 'Is Empty'
  | 'Is Not Empty'
  | 'Matches'
  | 'Not Matches';

/** A filter expression, parsed. */
export type Expression =
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not'; readonly operand: Expression }
  | {
      readonly kind: 'match';
      readonly selector: readonly string[];
      readonly operator: MatchOperator;
      readonly value: string;
    };

interface Token {
  readonly kind: 'word' | 'text' | 'number' | 'symbol' | 'end';
  readonly text: string;
  readonly at: number;
}

const WORD = /[A-Za-z][A-Za-z0-9_/]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?/y;
const SYMBOL = /==|!=|[()[\].]/y;
const SPACE = /[ \t\r\n]*/y;
const MAX_DEPTH = 64;

/** Parses Consul's filter language (go-bexpr); refuses anything else with the place of the fault. */
export function parseFilter(source: string): Expression {
  return new FilterParser(source).parse();
}

class FilterParser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokenise(source);
  }

  parse(): Expression {
    const expression = this.#parseOr();
    if (this.#peek().kind !== 'end') throw this.#unexpected('"and", "or" or the end');
    return expression;
  }

  #parseOr(): Expression {
    let left = this.#parseAnd();
    while (this.#takeWord('or')) left = { kind: 'or', left, right: this.#parseAnd() };
    return left;
  }

  #parseAnd(): Expression {
    let left = this.#parseNot();
    while (this.#takeWord('and')) left = { kind: 'and', left, right: this.#parseNot() };
    return left;
  }

  #parseNot(): Expression {
    if (++this.#depth > MAX_DEPTH) throw this.#unexpected('less nesting');
    try {
      if (this.#takeWord('not')) return { kind: 'not', operand: this.#parseNot() };
      if (!this.#takeSymbol('(')) return this.#parseMatch();
      const inner = this.#parseOr();
      if (!this.#takeSymbol(')')) throw this.#unexpected('")"');
      return inner;
    } finally {
      this.#depth--;
    }
  }

  #parseMatch(): Expression {
    const start = this.#next;
    // `value in selector` begins with what may also be a selector.
    const value = this.#takeValue();
    if (value !== undefined) {
      const isNot = this.#takeWord('not');
      if (this.#takeWord('in')) {
        return this.#match(this.#selector(), isNot ? 'Not In' : 'In', value);
      }
      this.#next = start;
    }
    return this.#parseSelectorFirst(this.#selector());
  }

  #parseSelectorFirst(selector: readonly string[]): Expression {
    if (this.#takeSymbol('==')) return this.#match(selector, 'Equal', this.#value());
    if (this.#takeSymbol('!=')) return this.#match(selector, 'Not Equal', this.#value());
    if (this.#takeWord('is')) {
      const isNot = this.#takeWord('not');
      if (!this.#takeWord('empty')) throw this.#unexpected('"empty"');
      return this.#match(selector, isNot ? 'Is Not Empty' : 'Is Empty', '');
    }
    const isNot = this.#takeWord('not');
    if (this.#takeWord('contains')) {
      return this.#match(selector, isNot ? 'Not In' : 'In', this.#value());
    }
    if (this.#takeWord('matches')) {
      return this.#match(selector, isNot ? 'Not Matches' : 'Matches', this.#value());
    }
    throw this.#unexpected('"==", "!=", "contains", "in", "is", "matches" or "not"');
  }

  #match(selector: readonly string[], operator: MatchOperator, value: string): Expression {
    return { kind: 'match', selector, operator, value };
  }

  #selector(): readonly string[] {
    const first = this.#peek();
    if (first.kind !== 'word') throw this.#unexpected('a selector');
    this.#next++;
    const path = [first.text];
    for (;;) {
      if (this.#takeSymbol('.')) {
        const part = this.#peek();
        if (part.kind !== 'word') throw this.#unexpected('the name of a field');
        this.#next++;
        path.push(part.text);
      } else if (this.#takeSymbol('[')) {
        const part = this.#peek();
        if (part.kind !== 'text') throw this.#unexpected('a quoted key');
        this.#next++;
        path.push(part.text);
        if (!this.#takeSymbol(']')) throw this.#unexpected('"]"');
      } else return path;
    }
  }

  #value(): string {
    const value = this.#takeValue();
    if (value === undefined) throw this.#unexpected('a value');
    return value;
  }

  /** A quoted text, a number, or a bare word with its dots. */
  #takeValue(): string | undefined {
    const token = this.#peek();
    if (token.kind === 'text' || token.kind === 'number') {
      this.#next++;
      return token.text;
    }
    if (token.kind !== 'word') return undefined;
    return this.#selector().join('.');
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '', at: this.#source.length };
  }

  #takeWord(word: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'word' || token.text !== word) return false;
    this.#next++;
    return true;
  }

  #takeSymbol(symbol: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'symbol' || token.text !== symbol) return false;
    this.#next++;
    return true;
  }

  #unexpected(expected: string): ConsulError {
    return faultAt(this.#source, this.#peek().at, expected);
  }
}

function tokenise(source: string): Token[] {
  const tokens: Token[] = [];
  let at = skip(SPACE, source, 0);
  while (at < source.length) {
    const token = quoted(source, at) ?? plain(source, at);
    tokens.push(token.token);
    at = skip(SPACE, source, token.end);
  }
  return tokens;
}

function plain(source: string, at: number): { token: Token; end: number } {
  for (const [kind, pattern] of [
    ['word', WORD],
    ['number', NUMBER],
    ['symbol', SYMBOL],
  ] as const) {
    const end = skip(pattern, source, at);
    if (end > at) return { token: { kind, text: source.slice(at, end), at }, end };
  }
  throw faultAt(source, at, '"(", "not", a selector or a value');
}

function quoted(source: string, at: number): { token: Token; end: number } | undefined {
  const quote = source[at];
  if (quote !== '"' && quote !== '`') return undefined;
  let text = '';
  for (let next = at + 1; next < source.length; next++) {
    const character = source[next] ?? '';
    if (character === quote) return { token: { kind: 'text', text, at }, end: next + 1 };
    if (character !== '\\' || quote === '`') text += character;
    else {
      const escaped = source[++next] ?? '';
      const plainText = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' }[escaped];
      if (plainText === undefined) throw faultAt(source, next, 'an escape such as \\" or \\\\');
      text += plainText;
    }
  }
  throw faultAt(source, source.length, `the closing ${quote}`);
}

function skip(pattern: RegExp, source: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(source) ? pattern.lastIndex : at;
}

/** The form of go-bexpr's message: line, column and offset, then what could have stood there. */
function faultAt(source: string, at: number, expected: string): ConsulError {
  const line = source.slice(0, at).split('\n').length;
  const column = at - source.lastIndexOf('\n', at - 1);
  return badRequest(
    `Failed to create filter: ${line}:${column} (${at}): no match found, expected: ${expected}`,
  );
}
