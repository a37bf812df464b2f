import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compileFilter } from './compile-filter.ts';
import { FILTER_FIELDS } from './filter-fields.ts';

const ENTRY = {
  Node: {
    ID: 'n-1',
    Node: 'foo',
    Address: '10.0.0.1',
    Datacenter: 'dc1',
    Meta: { 'rack.id': 'r7' },
  },
  Service: {
    ID: 'web-1',
    Service: 'web',
    Tags: ['v1', 'primary'],
    Meta: { version: '1.4.2', empty: '' },
    Port: 8080,
    Weights: { Passing: 10, Warning: 1 },
    EnableTagOverride: false,
  },
  Checks: [
    { CheckID: 'a', Status: 'passing' },
    { CheckID: 'b', Status: 'critical' },
  ],
};
const EMPTY = {
  Node: { Node: 'bar', Meta: {} },
  Service: { Tags: [], Meta: {}, Port: 0 },
  Checks: [],
};

function test(source: string, item: object = ENTRY): boolean {
  return compileFilter(source, FILTER_FIELDS.healthEntry)(item);
}

it.each([
  ['Service.Service == web', true],
  ['Service.Service == "web"', true],
  ['Service.Service==`web`', true],
  ['Service.Service != web', false],
  ['Service.Port == 8080', true],
  ['Service.Port != 8080', false],
  ['Service.Weights.Passing == 10', true],
  ['Service.EnableTagOverride == false', true],
  ['v1 in Service.Tags', true],
  ['"v2" not in Service.Tags', true],
  ['Service.Tags contains primary', true],
  ['Service.Tags not contains primary', false],
  ['Service.Tags is empty', false],
  ['Service.Tags is not empty', true],
  ['version in Service.Meta', true],
  ['Service.Meta contains zone', false],
  ['Service.Meta.version == "1.4.2"', true],
  ['Service.Meta["version"] matches "^1\\\\."', true],
  ['Service.Meta.version not matches `^2`', true],
  ['Node.Meta["rack.id"] == r7', true],
  ['Node.Meta is not empty', true],
  ['"oo" in Node.Node', true],
  ['Checks.Status == critical', true],
  ['Checks.Status == warning', false],
  // Any of them may be different.
  ['Checks.Status != critical', true],
  ['not Checks.Status == critical', false],
  ['Checks is empty', false],
  // Of a key that is not there nothing is equal, and everything different.
  ['Service.Meta.zone == a', false],
  ['Service.Meta.zone != a', true],
  ['Service.Meta.zone matches ".*"', false],
  ['Service.Meta["__proto__"] != a', true],
  ['Service.Port == 1 or Service.Port == 8080 and Node.Node == foo', true],
  ['(Service.Port == 1 or Service.Port == 8080) and Node.Node == bar', false],
  ['not (Service.Port == 1) and not not Node.Node == foo', true],
  ['  Service.Port\n==\t8080  ', true],
])('%s is %s', (source, expected) => {
  expect(test(source)).toBe(expected);
});

it('what has nothing is empty', () => {
  for (const source of ['Service.Tags is empty', 'Service.Meta is empty', 'Checks is empty']) {
    expect([source, test(source, EMPTY)]).toEqual([source, true]);
  }
});

it.each([
  ['Service.Nope == 1', 'Selector "Service.Nope" is not valid'],
  ['Node == 1', 'Invalid match operator "Equal" for selector "Node"'],
  ['Service.Tags == v1', 'Invalid match operator "Equal" for selector "Service.Tags"'],
  ['Service.Port is empty', 'Invalid match operator "Is Empty" for selector "Service.Port"'],
  ['Service.Port == many', 'Failed to convert "many" to int, for selector "Service.Port"'],
  [
    'Service.EnableTagOverride == 2',
    'Failed to convert "2" to bool, for selector "Service.EnableTagOverride"',
  ],
  ['Node.Node matches "["', 'Failed to compile regular expression "["'],
  ['Node.Node matches "(?=a)"', 'Failed to compile regular expression "(?=a)"'],
  ['Service.Port =', '1:14 (13): no match found, expected: "(", "not", a selector or a value'],
  [
    'Service.Port',
    '1:13 (12): no match found, expected: "==", "!=", "contains", "in", "is", "matches" or "not"',
  ],
  [
    'Service.Port == 1 Service.Port == 2',
    '1:19 (18): no match found, expected: "and", "or" or the end',
  ],
  ['(Service.Port == 1', '1:19 (18): no match found, expected: ")"'],
  ['Node.Node == "a', '1:16 (15): no match found, expected: the closing "'],
  ['Node.Node == "\\x"', '1:16 (15): no match found, expected: an escape such as \\" or \\\\'],
  ['\nNode..Node == a', '2:6 (6): no match found, expected: the name of a field'],
  ['Service.Meta[a] == b', '1:14 (13): no match found, expected: a quoted key'],
  ['"a" == Node.Node', '1:1 (0): no match found, expected: a selector'],
])('%s is refused', (source, reason) => {
  expect(() => test(source)).toThrow(`Failed to create filter: ${reason}`);
});

/** Expressions with the answer that a plain reading of them gives. */
const { expression } = fc.letrec<{ expression: [string, boolean] }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<[string, boolean][]>(
      ['Service.Port == 8080', true],
      ['Node.Node == bar', false],
      ['v1 in Service.Tags', true],
    ),
    tie('expression').map(([source, value]): [string, boolean] => [`not (${source})`, !value]),
    fc
      .tuple(tie('expression'), tie('expression'))
      .map(([a, b]): [string, boolean] => [`(${a[0]}) and (${b[0]})`, a[1] && b[1]]),
    fc
      .tuple(tie('expression'), tie('expression'))
      .map(([a, b]): [string, boolean] => [`(${a[0]}) or (${b[0]})`, a[1] || b[1]]),
  ),
}));

it('combined expressions mean what their parts mean together', () => {
  fc.assert(
    fc.property(expression, ([source, value]) => {
      expect(test(source)).toBe(value);
    }),
  );
});

it('any text is an expression or a refusal with its place', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (source) => {
      try {
        test(source);
      } catch (error) {
        expect(String(error)).toContain('Failed to create filter: ');
      }
    }),
    { numRuns: 2_000 },
  );
});
