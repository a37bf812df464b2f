import type { HttpProtocolAdapter } from '@portolan/core';
import fc from 'fast-check';
import type { ControlCall } from '../test-control/control-caller.ts';

/** Words that break careless code. */
export const NASTY = [
  ...['__proto__', 'constructor', 'hasOwnProperty', 'toString', '', '.', '..', '*', '%', '%00'],
  ...['%2F', '%zz', '%ff', '\u0000', '\ud800', 'a'.repeat(5_000), '-1', '1e308', 'NaN', 'null'],
  ...['9007199254740993', '"', '{}', '<a>', '&x;', '💥', 'a@@b', '@@', 'a@@b@@c', '🚢'],
];

export interface HostileVocabulary {
  /** Names of fields and parameters that the dialect knows. */
  readonly fields: readonly string[];
  /** Values that it takes, so that input gets past the first gate. */
  readonly values: readonly (string | number | boolean)[];
  /** Bodies of the dialect's own, well formed or nearly. */
  readonly bodies?: fc.Arbitrary<string | Uint8Array>;
  readonly contentTypes: readonly string[];
}

/** Requests to every path of an adapter with anything in every place. */
export function hostileCall(
  adapter: HttpProtocolAdapter,
  vocabulary: HostileVocabulary,
): fc.Arbitrary<ControlCall> {
  const known = fc.constantFrom(...vocabulary.values.map(String));
  const word = fc.oneof(
    { weight: 4, arbitrary: known },
    { weight: 3, arbitrary: fc.constantFrom(...NASTY) },
    { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  );
  const field = fc.constantFrom(...vocabulary.fields);
  const json = fc.jsonValue({ maxDepth: 3, noUnicodeString: false });
  const tree = fc.dictionary(
    field,
    fc.oneof(
      fc.constantFrom(...vocabulary.values),
      json,
      fc.dictionary(fc.oneof(field, word), fc.oneof(word, json), { maxKeys: 4 }),
      fc.array(fc.dictionary(field, json, { maxKeys: 4 }), { maxLength: 3 }),
    ),
    { maxKeys: 10 },
  );
  const parameters = fc
    .array(fc.tuple(fc.oneof({ weight: 4, arbitrary: field }, word), word), { maxLength: 6 })
    .map((pairs) =>
      new URLSearchParams(
        pairs.map(([name, value]): [string, string] => [name.toWellFormed(), value.toWellFormed()]),
      ).toString(),
    );
  const body: fc.Arbitrary<string | Uint8Array> = fc.oneof(
    fc.constant(''),
    tree.map((value) => JSON.stringify(value)),
    tree.map((value) => JSON.stringify({ instance: value })),
    parameters,
    ...(vocabulary.bodies === undefined ? [] : [vocabulary.bodies, vocabulary.bodies]),
    json.map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.uint8Array({ maxLength: 200 }),
    fc.nat(2_000).map((depth) => '['.repeat(depth)),
    fc.nat(2_000).map((depth) => '<instance>'.repeat(depth)),
    fc.constant(`{"${'k'.repeat(70_000)}":1}`),
    fc.constant('{"instance":{"metadata":{"__proto__":"x"}}}'),
  );
  const headers = fc.record(
    {
      'content-type': fc.oneof(word, fc.constantFrom(...vocabulary.contentTypes)),
      accept: fc.constantFrom('application/json', 'application/xml', '*/*', '\u0000'),
      'accept-encoding': fc.constantFrom('gzip', 'gzip;q=0', ',,;;', 'deflate'),
      authorization: word,
    },
    { requiredKeys: [] },
  );
  const path = fc.constantFrom(...adapter.routes.map((route) => route.path));
  return fc
    .record({
      path,
      word,
      parameters,
      body,
      headers,
      sloppy: fc.nat(9),
      method: fc.constantFrom(...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'BREW', 'get']),
    })
    .map(({ path, word, parameters, body, headers, sloppy, method }) => {
      const filled = path.replace(/:\w+/g, () =>
        sloppy === 0 ? word : encodeURIComponent(word.toWellFormed()),
      );
      const own = adapter.routes.filter((route) => route.path === path);
      return {
        // Mostly a method that the path takes: the others end at the door.
        method: sloppy < 2 ? method : (own[sloppy % own.length]?.method ?? method),
        target: `${filled}${parameters === '' ? '' : `?${parameters}`}`,
        headers,
        body,
      };
    });
}
