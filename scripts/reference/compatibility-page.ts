import { DOOR_FIELDS, FIELDS, type Field } from '../../e2e/dialects/fields.ts';
import type { CompatibilityEntry } from '../../packages/adapters/src/protocols/compatibility.ts';
import { consulCompatibility } from '../../packages/adapters/src/protocols/consul/compatibility.ts';
import { compatibility as dns } from '../../packages/adapters/src/protocols/dns/compatibility.ts';
import { compatibility as grpc } from '../../packages/adapters/src/protocols/grpc/compatibility.ts';
import { code, page, table } from './markdown.ts';

interface DialectSection {
  readonly name: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const SAID = ['what', 'how it is said', 'what is lost'];
const said = (entries: readonly CompatibilityEntry[]): string[][] =>
  entries.map(({ feature, mapping, loss }) => [feature, mapping, loss ?? '']);

/** The dialects with their names for people, in the order of the page. */
const DIALECTS: readonly DialectSection[] = [
  { name: 'gRPC', head: SAID, rows: said(grpc) },
  {
    name: 'Consul',
    head: ['of Consul', '', 'here'],
    rows: Object.values(consulCompatibility).map(({ feature, support, here }) => [
      feature,
      support,
      here,
    ]),
  },
  { name: 'DNS', head: SAID, rows: said(dns) },
];

/** What each dialect can say of an instance, and what it cannot. */
export function compatibilityPage(): string {
  const doors = Object.entries(DOOR_FIELDS);
  const mark = (fields: readonly Field[], field: Field): string =>
    fields.includes(field) ? 'yes' : '';
  return page('Compatibility', [
    'An instance that is registered in one dialect is the same in all the others. `e2e/dialects` registers one through each door that takes registrations and reads it through every door, field by field; this table is what it compares.',
    table(
      ['', ...doors.flatMap(([name]) => [`${name}, taken`, `${name}, shown`])],
      FIELDS.map((field) => [
        code(field),
        ...doors.flatMap(([, { registers, reads }]) => [
          mark(registers, field),
          mark(reads, field),
        ]),
      ]),
    ),
    '`status`, `maintenance` and `routable` are not registered but come about: by reports, checks, and what the operator wants. A door that does not show them leaves out what is not routable.',
    ...DIALECTS.flatMap(({ name, head, rows }) => [`## ${name}`, table(head, rows)]),
  ]);
}
