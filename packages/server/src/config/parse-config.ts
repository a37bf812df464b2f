import type { z } from 'zod';
import {
  type ConfigNode,
  type ConfigPath,
  formatPath,
  fromPlain,
  keyOriginAt,
  mergeNodes,
  originAt,
  toPlain,
} from './config-node.ts';
import type { ConfigProblem } from './config-problem.ts';
import { DEFAULTS } from './defaults.ts';
import { configSchema, type PortolanConfig } from './schema.ts';
import { didYouMean } from './suggestion.ts';

export interface ParsedConfig {
  /** Absent when there are problems. */
  readonly config?: PortolanConfig;
  /** The merged layers, for showing where each value came from. */
  readonly merged: ConfigNode;
  readonly problems: readonly ConfigProblem[];
}

/** Lays the layers over the defaults, in order, and checks the whole. */
export function parseConfig(layers: readonly ConfigNode[]): ParsedConfig {
  let merged = fromPlain(DEFAULTS, { kind: 'default' });
  for (const layer of layers) merged = mergeNodes(merged, layer);
  const result = configSchema.safeParse(toPlain(merged), { reportInput: true });
  if (result.success) return { config: result.data, merged, problems: [] };
  return { merged, problems: result.error.issues.flatMap((issue) => toProblems(issue, merged)) };
}

function toProblems(issue: z.core.$ZodIssue, merged: ConfigNode): ConfigProblem[] {
  const path = issue.path as ConfigPath;
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path);
    return issue.keys.map((key) => ({
      origin: keyOriginAt(merged, path, key),
      path: formatPath([...path, key]),
      message: `no such setting${didYouMean(key, known)}`,
    }));
  }
  return [
    {
      origin: originAt(merged, path),
      path: formatPath(path),
      message: `${expectation(issue)}${found(issue.input)}`,
    },
  ];
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return `expected ${listed(issue.values.map(String))}`;
  if (issue.code === 'invalid_type' && issue.expected === 'object')
    return 'expected settings below it';
  return issue.message;
}

function listed(values: readonly string[]): string {
  return values.length < 2
    ? values.join('')
    : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}

function found(input: unknown): string {
  if (input === undefined) return '';
  const text = JSON.stringify(input) ?? '';
  return `, found ${text.length > 60 ? `${text.slice(0, 57)}...` : text}`;
}

function knownKeys(path: ConfigPath): readonly string[] {
  let schema: unknown = configSchema;
  for (const part of path) schema = (schema as { shape?: Record<string, unknown> }).shape?.[part];
  return Object.keys((schema as { shape?: object } | undefined)?.shape ?? {});
}
