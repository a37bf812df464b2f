import { RE2JS } from 're2js';
import { badRequest } from '../consul-error.ts';
import { parseGoBool } from '../go-duration.ts';
import type { FieldType } from './filter-fields.ts';
import { type Expression, type MatchOperator, parseFilter } from './filter-syntax.ts';

export type Filter = (item: object) => boolean;
type Match = Extract<Expression, { kind: 'match' }>;
type Test = (value: unknown) => boolean;

const NEGATIONS: Readonly<Partial<Record<MatchOperator, MatchOperator>>> = {
  'Not Equal': 'Equal',
  'Not In': 'In',
  'Is Not Empty': 'Is Empty',
  'Not Matches': 'Matches',
};
/** Where a map has no such key. */
const TRUE_WHEN_ABSENT: ReadonlySet<MatchOperator> = new Set([
  'Not Equal',
  'Not In',
  'Is Empty',
  'Not Matches',
]);

/** The filter for items of this type; refuses selectors and operators that it does not have, as Consul does. */
export function compileFilter(source: string, type: FieldType): Filter {
  return compile(parseFilter(source), type);
}

function compile(expression: Expression, type: FieldType): Filter {
  switch (expression.kind) {
    case 'and': {
      const [left, right] = [compile(expression.left, type), compile(expression.right, type)];
      return (item) => left(item) && right(item);
    }
    case 'or': {
      const [left, right] = [compile(expression.left, type), compile(expression.right, type)];
      return (item) => left(item) || right(item);
    }
    case 'not': {
      const operand = compile(expression.operand, type);
      return (item) => !operand(item);
    }
    case 'match':
      return compileMatch(expression, type, expression.selector);
  }
}

/** Follows the selector through the type; what it leads to is tested in each item. */
function compileMatch(match: Match, type: FieldType, path: readonly string[]): Test {
  const [name, ...rest] = path;
  if (name === undefined) return compileTest(match, type);
  if (typeof type === 'object' && 'list' in type) {
    // Of a list any element may match.
    const test = compileMatch(match, type.list, path);
    return (value) => Array.isArray(value) && value.some(test);
  }
  if (typeof type === 'object' && 'map' in type) {
    const test = compileMatch(match, type.map, rest);
    const absent = TRUE_WHEN_ABSENT.has(match.operator);
    return (value) => (hasOwn(value, name) ? test(Reflect.get(value, name)) : absent);
  }
  const field =
    typeof type === 'object' && Object.hasOwn(type.fields, name) ? type.fields[name] : undefined;
  if (field === undefined) {
    throw badRequest(
      `Failed to create filter: Selector ${JSON.stringify(match.selector.join('.'))} is not valid`,
    );
  }
  const test = compileMatch(match, field, rest);
  return (value) => test(hasOwn(value, name) ? Reflect.get(value, name) : undefined);
}

function hasOwn(value: unknown, name: string): value is object {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name);
}

function compileTest(match: Match, type: FieldType): Test {
  const positive = NEGATIONS[match.operator];
  if (positive === undefined) return positiveTest(match, match.operator, type);
  const test = positiveTest(match, positive, type);
  return (value) => !test(value);
}

function positiveTest(match: Match, operator: MatchOperator, type: FieldType): Test {
  const { value: wanted } = match;
  if (type === 'text') {
    if (operator === 'Equal') return (value) => (value ?? '') === wanted;
    if (operator === 'In') return (value) => typeof value === 'string' && value.includes(wanted);
    if (operator === 'Matches') {
      const pattern = compilePattern(wanted);
      return (value) => typeof value === 'string' && pattern(value);
    }
  } else if (type === 'number' && operator === 'Equal') {
    const number = /^-?\d{1,15}$/.test(wanted) ? Number(wanted) : undefined;
    if (number === undefined) throw unreadable(match, 'int');
    return (value) => value === number;
  } else if (type === 'flag' && operator === 'Equal') {
    const flag = parseGoBool(wanted);
    if (flag === undefined) throw unreadable(match, 'bool');
    return (value) => (value ?? false) === flag;
  } else if (typeof type === 'object' && 'map' in type) {
    if (operator === 'In') return (value) => hasOwn(value, wanted);
    if (operator === 'Is Empty') {
      return (value) => typeof value !== 'object' || value === null || isEmptyObject(value);
    }
  } else if (typeof type === 'object' && 'list' in type) {
    if (operator === 'Is Empty') return (value) => !Array.isArray(value) || value.length === 0;
    if (operator === 'In' && type.list === 'text') {
      return (value) => Array.isArray(value) && value.includes(wanted);
    }
  }
  throw badRequest(
    `Failed to create filter: Invalid match operator ${JSON.stringify(match.operator)} for selector ${JSON.stringify(match.selector.join('.'))}`,
  );
}

function isEmptyObject(value: object): boolean {
  return Object.keys(value).length === 0;
}

function unreadable(match: Match, goType: string) {
  return badRequest(
    `Failed to create filter: Failed to convert ${JSON.stringify(match.value.slice(0, 64))} to ${goType}, for selector ${JSON.stringify(match.selector.join('.'))}`,
  );
}

/** A pattern costs its length times its text's, for every item: a longer one could keep everybody waiting. */
const PATTERN_LIMIT = 256;

/** RE2, as in Consul. */
function compilePattern(source: string): (text: string) => boolean {
  if (source.length > PATTERN_LIMIT) {
    throw badRequest(
      `Failed to create filter: a regular expression may have ${PATTERN_LIMIT} characters at most`,
    );
  }
  try {
    const pattern = RE2JS.compile(source);
    return (text) => pattern.matcher(text).find();
  } catch {
    throw badRequest(
      `Failed to create filter: Failed to compile regular expression ${JSON.stringify(source.slice(0, 64))}`,
    );
  }
}
