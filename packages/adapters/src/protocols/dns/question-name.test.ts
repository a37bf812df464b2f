import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findZone, readName, toHexAddress, type Zones } from './question-name.ts';

const ZONES: Zones = { zone: 'portolan', aliases: ['consul', 'svc.example'], datacenter: 'dc1' };

function read(name: string): unknown {
  const found = findZone(name.split('.'), ZONES);
  if (!found) return 'outside';
  const asked = readName(found, ZONES.datacenter);
  if (asked.kind !== 'service') return asked.kind;
  return asked.readings.map(({ tag, name, group, namespace }) =>
    [tag ?? '', name, group, namespace].join('|'),
  );
}

describe('a name stands for', () => {
  test.each([
    ['web.service.portolan', ['|web|default|default']],
    ['web.service.consul', ['|web|default|default']],
    ['web.service.svc.example', ['|web|default|default']],
    ['web.service.team.portolan', ['|web|default|team']],
    ['web.service.team.a.portolan', ['|web|default|team.a']],
    ['web.service.team.ns.portolan', ['|web|default|team']],
    ['web.service.blue.group.portolan', ['|web|blue|default']],
    ['web.service.blue.group.team.ns.portolan', ['|web|blue|team']],
    ['web.service.blue.group.team.portolan', ['|web|default|blue.group.team']],
    ['web.service.team.blue.group.portolan', ['|web|blue|team']],
    ['blue@@web.service.consul', ['|web|blue|default']],
    ['_blue@@web._v1.service.team.portolan', ['v1|web|blue|team']],
    ['web.service.dc1.consul', ['|web|default|default']],
    ['web.service.dc1.dc.portolan', ['|web|default|default']],
    ['web.service.dc1.portolan', ['|web|default|dc1']],
    ['web.service.dc2.dc.consul', 'nothing'],
    ['web.service.a.ns.b.ns.portolan', 'nothing'],
    ['v1.web.service.portolan', ['|v1.web|default|default', 'v1|web|default|default']],
    [
      'a.b.c.service.portolan',
      ['|a.b.c|default|default', 'a|b.c|default|default', 'a.b|c|default|default'],
    ],
    ['service.service.portolan', ['|service|default|default']],
    [
      'web.service.service.portolan',
      ['|web.service|default|default', 'web|service|default|default', '|web|default|service'],
    ],
    ['_web._tcp.service.portolan', ['|web|default|default']],
    ['_web._tcp.portolan', ['|web|default|default']],
    ['_web._tcp.service.team.portolan', ['|web|default|team']],
    ['_web._v1.service.portolan', ['v1|web|default|default']],
    ['_my.web._v1.service.dc1.consul', ['v1|my.web|default|default']],
    ['_web._.service.portolan', 'nothing'],
    ['__._tcp.service.portolan', ['|_|default|default']],
    ['0a000001.addr.portolan', 'address'],
    ['0a000001.addr.dc1.consul', 'address'],
    ['fd000000000000000000000000000001.addr.portolan', 'address'],
    ['0a0001.addr.portolan', 'nothing'],
    ['0a000g01.addr.portolan', 'nothing'],
    ['portolan', 'apex'],
    ['svc.example', 'apex'],
    ['ns.portolan', 'nameserver'],
    ['service.portolan', 'branch'],
    ['addr.portolan', 'branch'],
    ['_tcp.service.portolan', 'branch'],
    ['group.portolan', 'branch'],
    ['web.portolan', 'nothing'],
    ['a.b.c.portolan', 'nothing'],
    ['example', 'outside'],
    ['notportolan', 'outside'],
    ['portolan.example', 'outside'],
    ['', 'outside'],
  ])('%s', (name, meaning) => {
    expect(read(name)).toEqual(meaning);
  });
});

test('whatever the labels, a name has a meaning and few readings', () => {
  const label = fc.oneof(
    fc.constantFrom('service', 'addr', 'ns', 'group', 'dc', '_tcp', '_', 'web', 'portolan', 'dc1'),
    fc.string({ maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(label, { maxLength: 120 }), (labels) => {
      const found = findZone([...labels, 'consul'], ZONES);
      if (!found) throw new Error('it ends with a zone');
      const asked = readName(found, 'dc1');
      if (asked.kind === 'service') expect(asked.readings.length).toBeLessThanOrEqual(16);
    }),
  );
});

test('an address and its label are the same thing', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }),
        fc.array(fc.nat(255), { minLength: 16, maxLength: 16 }),
      ),
      (bytes) => {
        const ip = { family: bytes.length === 4 ? (4 as const) : (6 as const), bytes };
        const labels = [toHexAddress(ip), 'addr'];
        expect(readName({ zone: 'portolan', labels, isAlias: false }, 'dc1')).toEqual({
          kind: 'address',
          ip,
        });
      },
    ),
  );
});
