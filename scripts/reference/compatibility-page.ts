import { DOOR_FIELDS, FIELDS, type Field } from '../../e2e/dialects/fields.ts';
import type { CompatibilityEntry } from '../../packages/adapters/src/protocols/compatibility.ts';
import { compatibility as consul } from '../../packages/adapters/src/protocols/consul/compatibility.ts';
import { compatibility as dns } from '../../packages/adapters/src/protocols/dns/compatibility.ts';
import { compatibility as eureka } from '../../packages/adapters/src/protocols/eureka/compatibility.ts';
import { compatibility as grpc } from '../../packages/adapters/src/protocols/grpc/compatibility.ts';
import { compatibility as nacos } from '../../packages/adapters/src/protocols/nacos/compatibility.ts';
import { code, page, table } from './markdown.ts';

/** The dialects with their names for people, in the order of the page. */
const DIALECTS: readonly (readonly [string, readonly CompatibilityEntry[]])[] = [
  ['gRPC', grpc],
  ['Consul', consul],
  ['DNS', dns],
  ['Eureka', eureka],
  ['Nacos', nacos],
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
    '`status`, `maintenance` and `routable` are not registered but come about: by reports, checks, and what the operator wants. DNS leaves out what is not routable, and Nacos what is in maintenance.',
    ...DIALECTS.flatMap(([name, entries]) => [
      `## ${name}`,
      table(
        ['what', 'how it is said', 'what is lost'],
        entries.map(({ feature, mapping, loss }) => [feature, mapping, loss ?? '']),
      ),
    ]),
  ]);
}
