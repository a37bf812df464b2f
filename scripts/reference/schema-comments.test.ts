import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { configLeaves } from '../../packages/server/src/config/leaves.ts';
import { schemaComments } from './schema-comments.ts';

describe('comments of the schema', () => {
  test('are found by path: nested, in a section of its own, shared, over several lines', () => {
    const source = [
      'const times = z.strictObject({',
      '  /** How long. */',
      '  ttl: duration(),',
      '});',
      'const control = z.strictObject({',
      '  a: z.strictObject({',
      '    /** Inner. */',
      '    b: z.union([x], {',
      "      error: 'no',",
      '    }),',
      '    c: flag,',
      '  }),',
      '  /** After. */',
      '  d: count(1, 2),',
      '});',
      'export const configSchema = z.strictObject({',
      '  control,',
      '  /** Both. */',
      '  fast: times,',
      '  slow: times,',
      '});',
    ].join('\n');
    expect(Object.fromEntries(schemaComments(source))).toEqual({
      'control.a.b': 'Inner.',
      'control.d': 'After.',
      fast: 'Both.',
      'fast.ttl': 'How long.',
      'slow.ttl': 'How long.',
    });
  });

  test('belong to settings or sections that exist', () => {
    const schema = new URL('../../packages/server/src/config/schema.ts', import.meta.url);
    const known = configLeaves().map(({ path }) => `${path.join('.')}.`);
    const found = [...schemaComments(readFileSync(schema, 'utf8')).keys()];
    expect(found.length).toBeGreaterThan(20);
    expect(found.filter((path) => !known.some((leaf) => leaf.startsWith(`${path}.`)))).toEqual([]);
  });
});
