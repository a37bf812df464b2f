import { NO_LOGGER } from '@portolan/core';
import { PLAIN_HTTP_1 } from '@portolan/http';
import { describe, expect, it } from 'vitest';
import { createEndpointTransports, instanceProtocol } from './endpoint-transport.ts';

const onIp = { address: '10.0.0.1', labels: {} };

describe('the protocol spoken with an instance', () => {
  it.each([
    ['grpc', 'h2'],
    ['h2', 'h2'],
    ['h2c', 'h2'],
    ['GRPC', 'h2'],
    ['http', 'http/1.1'],
    ['thrift', 'http/1.1'],
  ])('labelled %s is %s', (label, protocol) => {
    expect(instanceProtocol(undefined, { protocol: label })).toBe(protocol);
  });

  it('is what the policy says, whatever the label says', () => {
    expect(instanceProtocol({ protocol: 'http/1.1' }, { protocol: 'grpc' })).toBe('http/1.1');
    expect(instanceProtocol({ protocol: 'auto' }, {})).toBe('auto');
    expect(instanceProtocol({}, { protocol: 'grpc' })).toBe('h2');
  });
});

describe('transports', () => {
  it('are the plain one without policy and label, so that nothing is looked up', () => {
    const transports = createEndpointTransports({ logger: NO_LOGGER });
    expect(transports.of(undefined, onIp).requests).toBe(PLAIN_HTTP_1);
    expect(transports.of({}, onIp).requests).toBe(PLAIN_HTTP_1);
  });

  it('of HTTP/2 leave upgrades to HTTP/1.1', () => {
    const transports = createEndpointTransports({ logger: NO_LOGGER });
    const { requests, upgrades } = transports.of(undefined, {
      ...onIp,
      labels: { protocol: 'grpc' },
    });
    expect(requests.protocol).toBe('h2');
    expect(upgrades).toBe(PLAIN_HTTP_1);
  });

  it('are one object for equal settings, and differ by the name that is verified', () => {
    const transports = createEndpointTransports({ logger: NO_LOGGER });
    const policy = { tls: { verify: true } };
    const a = transports.of(policy, { address: 'a.internal', labels: {} });
    expect(transports.of({ tls: { verify: true } }, { address: 'a.internal', labels: {} })).toBe(a);
    const b = transports.of(policy, { address: 'b.internal', labels: {} });
    expect(b.requests.key).not.toBe(a.requests.key);
    expect(a.requests.tls?.serverName).toBe('a.internal');
    const named = { tls: { serverName: 'Web.Internal.' } };
    expect(transports.of(named, onIp).requests.tls?.serverName).toBe('web.internal');
    expect(transports.of(policy, onIp).requests.tls?.serverName).toBeUndefined();
  });

  it.each([
    ['cannot be read', { caFile: '/nowhere/ca.pem' }],
    ['hold no certificate', { caFile: 'empty' }],
    ['lack their key', { certFile: 'empty' }],
    ['hold no key', { certFile: 'empty', keyFile: 'empty' }],
  ])('whose files %s fail closed and are told', (_why, tls) => {
    const told: string[] = [];
    const logger = { ...NO_LOGGER, error: (_fields: object, text: string) => void told.push(text) };
    const transports = createEndpointTransports({
      logger,
      readFile(path) {
        if (path === 'empty') return '';
        throw new Error(`ENOENT: ${path}`);
      },
    });
    const { requests, upgrades } = transports.of({ protocol: 'auto', tls }, onIp);
    expect(requests.fault).toBeTypeOf('string');
    expect(upgrades.fault).toBeTypeOf('string');
    expect(told).toHaveLength(1);
  });

  it('say loudly that certificates are not verified', () => {
    const told: string[] = [];
    const logger = { ...NO_LOGGER, warn: (_fields: object, text: string) => void told.push(text) };
    const transports = createEndpointTransports({ logger });
    transports.of({ tls: { verify: false } }, onIp);
    expect(told).toEqual([expect.stringContaining('not verified')]);
  });

  it('read their files again after a reload', () => {
    let reads = 0;
    const transports = createEndpointTransports({
      logger: NO_LOGGER,
      readFile() {
        reads++;
        return '';
      },
    });
    transports.of({ tls: { caFile: 'ca' } }, onIp);
    transports.of({ tls: { caFile: 'ca' } }, onIp);
    expect(reads).toBe(1);
    transports.reload();
    transports.of({ tls: { caFile: 'ca' } }, onIp);
    expect(reads).toBe(2);
  });
});
