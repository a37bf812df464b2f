import { z } from 'zod';
import { configSchema } from './schema.ts';

/** One value that can be set. */
export interface ConfigLeaf {
  readonly path: readonly string[];
  /** How text from an environment variable or a flag is read. */
  readonly type: 'text' | 'scalar' | 'list';
}

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly anyOf?: readonly JsonSchema[];
}

let known: readonly ConfigLeaf[] | undefined;

/** Every value of the schema, in the schema's order. */
export function configLeaves(): readonly ConfigLeaf[] {
  known ??= collect(configJsonSchema() as JsonSchema, []);
  return known;
}

/** The schema of `portolan.yaml` as JSON Schema, for editors and the reference. */
export function configJsonSchema(): object {
  return z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' });
}

function collect(schema: JsonSchema, path: readonly string[]): ConfigLeaf[] {
  if (schema.properties) {
    return Object.entries(schema.properties).flatMap(([key, child]) =>
      collect(child, [...path, key]),
    );
  }
  if (schema.type === 'array') return [{ path, type: 'list' }];
  const scalar = schema.type !== 'string' || schema.anyOf !== undefined;
  return [{ path, type: scalar ? 'scalar' : 'text' }];
}

/** `gateway.timeouts.connect` is `PORTOLAN_GATEWAY_TIMEOUTS_CONNECT`, `dataDir` is `DATA_DIR`. */
export function environmentName(path: readonly string[]): string {
  const words = path.map((key) => key.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase());
  return `PORTOLAN_${words.join('_')}`;
}
