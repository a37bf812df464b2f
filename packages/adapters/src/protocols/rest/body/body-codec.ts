import { type Problem, RegistryError } from '@portolan/core';
import type { z } from 'zod';
import { toJsonPath } from '../../body/json-path.ts';
import { toProblems } from './zod-problems.ts';

/** A problem under construction: keys relative to the value that is validated. */
export interface RuleProblem {
  readonly path: readonly PropertyKey[];
  readonly expected: string;
  readonly found?: string;
}

/** How one kind of body is validated: the schema, then what no schema can say. */
export interface BodyCodec<S extends z.ZodType = z.ZodType> {
  readonly schema: S;
  /** Rules between fields; runs also when the schema found problems, so that all are told at once. */
  readonly rules?: (value: Readonly<Record<string, unknown>>) => readonly RuleProblem[];
}

/** The value as the schema gives it, or every problem. */
export function validate<S extends z.ZodType>(
  codec: BodyCodec<S>,
  value: unknown,
  root = '$',
): { ok: true; value: z.output<S> } | { ok: false; problems: Problem[] } {
  const parsed = codec.schema.safeParse(value);
  const broken = codec.rules && isPlainObject(value) ? codec.rules(value) : [];
  if (parsed.success && broken.length === 0) return { ok: true, value: parsed.data };
  const problems = parsed.success ? [] : toProblems(parsed.error.issues, codec.schema, value, root);
  for (const { path, ...rest } of broken) problems.push({ path: toJsonPath(path, root), ...rest });
  return { ok: false, problems };
}

/** As `validate`, but throws. */
export function requireValid<S extends z.ZodType>(
  codec: BodyCodec<S>,
  value: unknown,
  root = '$',
): z.output<S> {
  const result = validate(codec, value, root);
  if (result.ok) return result.value;
  throw validationError(result.problems);
}

/** One error for all problems; its detail names the first. */
export function validationError(problems: readonly Problem[]): RegistryError {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const found = first?.found === undefined ? '' : `, found ${first.found}`;
  return new RegistryError('VALIDATION_FAILED', {
    detail: `${first?.path ?? '$'}: expected ${first?.expected ?? 'something else'}${found}${more}.`,
    problems,
  });
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
