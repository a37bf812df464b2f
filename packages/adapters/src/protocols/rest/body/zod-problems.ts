import type { Problem } from '@portolan/core';
import type { z } from 'zod';
import { appendKey, toJsonPath } from '../../body/json-path.ts';
import { nearestName } from './did-you-mean.ts';

type Issue = z.core.$ZodIssue;

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
};
const MAX_FOUND_LENGTH = 64;
const MAX_PROBLEMS = 100;

/** Everything that is wrong with `value`, in the words of the API: paths, what was expected, what was found. */
export function toProblems(
  issues: readonly Issue[],
  schema: z.ZodType,
  value: unknown,
  root = '$',
): Problem[] {
  const problems: Problem[] = [];
  for (const issue of issues) collect(issue, [], schema, value, root, problems);
  return problems.slice(0, MAX_PROBLEMS);
}

function collect(
  issue: Issue,
  before: readonly PropertyKey[],
  schema: z.ZodType,
  value: unknown,
  root: string,
  problems: Problem[],
): void {
  const keys = [...before, ...issue.path];
  const path = toJsonPath(keys, root);
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, keys);
    for (const key of issue.keys) {
      const nearest = nearestName(key, known);
      problems.push({
        path: appendKey(path, key),
        expected: nearest ? `no such field; did you mean "${nearest}"?` : 'no such field',
        found: `the field ${JSON.stringify(shorten(key))}`,
      });
    }
    return;
  }
  if (issue.code === 'invalid_union') {
    const meant = meantBranch(issue.errors);
    if (meant) {
      for (const inner of meant) collect(inner, keys, schema, value, root, problems);
      return;
    }
  }
  problems.push({
    path,
    expected: expectation(issue),
    found: describe(valueAt(value, keys), keys),
  });
}

/** The branch of a union whose outer type fits: its inner problems say more than "one of". */
function meantBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const fitting = branches.filter((issues) =>
    issues.every((issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys'),
  );
  return fitting.length === 1 ? fitting[0] : undefined;
}

function expectation(issue: Issue): string {
  const own = /^(Invalid|Too )/.test(issue.message) ? undefined : issue.message;
  if (own) return own;
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_WORDS[issue.expected] ?? issue.expected;
    case 'too_small':
      return `at least ${issue.minimum}${unit(issue.origin)}`;
    case 'too_big':
      return `at most ${issue.maximum}${unit(issue.origin)}`;
    case 'invalid_value':
      return `one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    default:
      return issue.message;
  }
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' || origin === 'record' ? ' entries' : '';
}

function valueAt(value: unknown, keys: readonly PropertyKey[]): unknown {
  let present = value;
  for (const key of keys) {
    if (typeof present !== 'object' || present === null) return undefined;
    present = Reflect.get(present, key);
  }
  return present;
}

/** What stands there, short, never a secret. */
export function describe(value: unknown, keys: readonly PropertyKey[] = []): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  if (keys.some((key) => key === 'secret' || key === 'headers')) return `a ${typeof value}`;
  return typeof value === 'string' ? JSON.stringify(shorten(value)) : String(value);
}

function shorten(text: string): string {
  return text.length > MAX_FOUND_LENGTH ? `${text.slice(0, MAX_FOUND_LENGTH - 1)}…` : text;
}

/** Field names that the schema knows where `keys` leads. */
function keysAt(schema: z.ZodType, keys: readonly PropertyKey[]): string[] {
  let present: SchemaNode[] = [asNode(schema)];
  for (const key of keys) present = present.flatMap((node) => step(node, key));
  return present.flatMap(unwrap).flatMap((node) => Object.keys(node.def.shape ?? {}));
}

interface SchemaNode {
  readonly def: {
    readonly type: string;
    readonly shape?: Readonly<Record<string, unknown>>;
    readonly element?: unknown;
    readonly innerType?: unknown;
    readonly options?: readonly unknown[];
    readonly valueType?: unknown;
    readonly in?: unknown;
  };
}

function asNode(schema: unknown): SchemaNode {
  return schema as SchemaNode;
}

function unwrap(node: SchemaNode): SchemaNode[] {
  const { innerType, options } = node.def;
  if (innerType !== undefined) return unwrap(asNode(innerType));
  if (options !== undefined) return options.flatMap((option) => unwrap(asNode(option)));
  if (node.def.in !== undefined) return unwrap(asNode(node.def.in));
  return [node];
}

function step(node: SchemaNode, key: PropertyKey): SchemaNode[] {
  return unwrap(node).flatMap(({ def }) => {
    if (typeof key === 'number') return def.element === undefined ? [] : [asNode(def.element)];
    const member = def.shape?.[String(key)] ?? def.valueType;
    return member === undefined ? [] : [asNode(member)];
  });
}
