import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AddressPolicyOptions, createAddressPolicy } from './address-policy.ts';

const EVERYTHING = ['0.0.0.0/0', '::/0'];

function aPolicy(options: Partial<AddressPolicyOptions> = {}) {
  return createAddressPolicy({ allowLoopback: false, ownEndpoints: [], ...options });
}

describe('createAddressPolicy', () => {
  test.each([
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '100.64.0.1',
    'fd12:3456::1',
    '::ffff:172.18.0.12',
    '64:ff9b::10.0.0.1',
    '2002:a00:1::',
  ])('allows the private address %s by default', (ip) => {
    expect(aPolicy().check(ip, 8080)).toEqual({ allowed: true });
  });

  test.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '64:ff9b::8.8.8.8'])(
    'refuses the public address %s unless its network is configured',
    (ip) => {
      expect(aPolicy().check(ip, 443)).toMatchObject({ allowed: false });
      expect(aPolicy({ allow: EVERYTHING }).check(ip, 443)).toEqual({ allowed: true });
    },
  );

  test.each([
    '0.0.0.0',
    '0.1.2.3',
    '::',
    '::ffff:0.0.0.0',
    '169.254.169.254',
    '169.254.0.1',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    '64:ff9b::169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '::169.254.169.254',
    '::ffff:0:169.254.169.254',
    'fd00:ec2::254',
    'FD00:0EC2:0:0:0:0:0:254',
    '100.100.100.200',
    '192.0.0.192',
    '64:ff9b::192.0.0.192',
    'fe80::1',
    'febf::1',
    '224.0.0.1',
    '239.255.255.250',
    'ff02::1',
    '255.255.255.255',
    '240.0.0.1',
  ])('never allows %s, whatever is configured', (ip) => {
    const policy = aPolicy({ allow: EVERYTHING, allowLoopback: true });
    expect(policy.check(ip, 80)).toMatchObject({ allowed: false });
  });

  test.each([
    '0x7f.1',
    '127.1',
    '0177.0.0.1',
    '2130706433',
    '0x7f000001',
    '127.0.0.1.',
    '[::1]',
    '[::]',
    'fe80::1%eth0',
    'localhost',
    '127.0.0.1:80',
    '169.254.169.254@10.0.0.1',
    '',
    '10.0.0.1\0',
  ])('refuses "%s", which is not an IP literal, even where everything is allowed', (text) => {
    const policy = aPolicy({ allow: EVERYTHING, allowLoopback: true });
    expect(policy.check(text, 80)).toMatchObject({
      allowed: false,
      reason: expect.stringContaining('is not an IP address'),
    });
  });

  test.each([
    '127.0.0.1',
    '127.255.0.1',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::127.0.0.1',
    '::127.0.0.1',
  ])('allows loopback %s only when told to, also where everything is allowed', (ip) => {
    expect(aPolicy({ allow: EVERYTHING }).check(ip, 80)).toMatchObject({ allowed: false });
    expect(aPolicy({ allowLoopback: true }).check(ip, 80)).toEqual({ allowed: true });
  });

  test.each([0, -1, 65_536, 1.5, Number.NaN])('refuses the port %d', (port) => {
    expect(aPolicy().check('10.0.0.1', port)).toMatchObject({ allowed: false });
  });

  describe('own listeners', () => {
    const ownEndpoints = [
      { address: '127.0.0.1', port: 8500 },
      { address: '0.0.0.0', port: 8080 },
      { address: '10.0.0.5', port: 9000 },
    ];
    const policy = aPolicy({
      allowLoopback: true,
      ownEndpoints,
      localAddresses: () => ['127.0.0.1', '172.18.0.1', '::1', 'fd00::5'],
    });

    test.each([
      ['127.0.0.1', 8500],
      ['127.9.9.9', 8500],
      ['::1', 8500],
      ['::ffff:127.0.0.1', 8500],
      ['127.0.0.1', 8080],
      ['172.18.0.1', 8080],
      ['::ffff:172.18.0.1', 8080],
      ['64:ff9b::172.18.0.1', 8080],
      ['fd00::5', 8080],
      ['10.0.0.5', 9000],
    ])('are refused at %s:%d', (ip, port) => {
      expect(policy.check(ip, port)).toMatchObject({
        allowed: false,
        reason: expect.stringContaining('listener of our own'),
      });
    });

    test.each([
      ['127.0.0.1', 8501],
      ['172.18.0.2', 8080],
      ['172.18.0.1', 8500],
      ['10.0.0.5', 8500],
      ['10.0.0.6', 9000],
    ])('do not stand in the way of others at %s:%d', (ip, port) => {
      expect(policy.check(ip, port)).toEqual({ allowed: true });
    });
  });

  test('names the entry that it cannot read', () => {
    expect(() => aPolicy({ allow: ['10.0.0.1/8'] })).toThrow('"10.0.0.1/8"');
    expect(() => aPolicy({ ownEndpoints: [{ address: 'localhost', port: 1 }] })).toThrow(
      '"localhost"',
    );
  });

  test('judges every IPv4 address the same in all the forms that end at it', () => {
    const policy = aPolicy({ allow: [...EVERYTHING], ownEndpoints: [] });
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(fc.tuple(byte, byte, byte, byte), (bytes) => {
        const ip = bytes.join('.');
        const verdict = policy.check(ip, 80);
        expect(policy.check(`::ffff:${ip}`, 80)).toEqual(verdict);
        expect(policy.check(`64:ff9b::${ip}`, 80)).toEqual(verdict);
        expect(policy.check(`::ffff:0:${ip}`, 80)).toEqual(verdict);
      }),
    );
  });
});
