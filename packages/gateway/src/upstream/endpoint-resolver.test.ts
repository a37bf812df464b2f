import {
  DEFAULT_OUTLIER_OPTIONS,
  DEFAULT_RETRY_BUDGET,
  NO_LOGGER,
  NO_METRICS,
  toServiceView,
} from '@portolan/core';
import { seededRandom, TurnableClock } from '@portolan/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { createGateway } from '../gateway.ts';
import { aGateway, anUpstream, ask, cleanUp } from '../test-rig/running-gateway.ts';
import { anInstance, SettableCatalogue } from '../test-rig/settable-catalogue.ts';
import { PLAIN_TRANSPORT } from '../transport/endpoint-transport.ts';
import { createDialledAddresses } from './dialled-addresses.ts';
import { createEndpointResolver } from './endpoint-resolver.ts';
import { createUpstream, type Upstream } from './upstream.ts';

afterEach(cleanUp);

function aResolver(answer: () => readonly string[]) {
  const clock = new TurnableClock();
  const given: (string | undefined)[] = [];
  const addresses = createDialledAddresses((ip) => given.push(ip));
  const resolver = createEndpointResolver(
    { refreshMs: 30_000, retryMaxMs: 5_000 },
    {
      clock,
      random: seededRandom(1),
      logger: NO_LOGGER,
      addressPolicy: {
        check: (ip) =>
          ip.startsWith('10.') ? { allowed: true } : { allowed: false, reason: 'link-local' },
      },
      resolve: async () => answer(),
      addresses,
    },
  );
  const upstream: Upstream = createUpstream(
    { namespace: 'default', group: 'default', name: 'web' },
    { outlier: DEFAULT_OUTLIER_OPTIONS, retryBudget: DEFAULT_RETRY_BUDGET },
    {
      clock,
      random: seededRandom(1),
      logger: NO_LOGGER,
      onEndpointAdded: resolver.add,
      onEndpointGone: resolver.remove,
      place: { zone: undefined, region: undefined },
      policyOf: () => undefined,
      transportOf: () => PLAIN_TRANSPORT,
      onTransportLeft: () => undefined,
      onEjected: () => undefined,
      onEmpty: () => undefined,
    },
  );
  const service = upstream.service;
  upstream.apply(toServiceView(service, 1, [anInstance(80, { address: 'some.name' })]));
  const ip = () => upstream.endpoints[0]?.ip;
  return { clock, resolver, upstream, given, ip };
}

describe('the resolver of endpoints', () => {
  it('takes the first address that the policy allows, whatever the name says', async () => {
    const { ip, resolver } = aResolver(() => ['169.254.169.254', '10.0.0.1']);
    await resolver.settled();
    expect(ip()).toBe('10.0.0.1');
  });

  it('gives no address when all are forbidden, so that a rebound name is never dialled', async () => {
    let found = ['10.0.0.1'];
    const { clock, ip, resolver, given } = aResolver(() => found);
    await resolver.settled();
    found = ['169.254.169.254'];
    await clock.advance(30_000);
    expect(ip()).toBeUndefined();
    expect(given).toEqual(['10.0.0.1']);
  });

  it('keeps an address for as long as the name has it, and follows the name when it moves', async () => {
    let found = ['10.0.0.1'];
    const { clock, ip, resolver, given } = aResolver(() => found);
    await resolver.settled();
    found = ['10.0.0.2', '10.0.0.1'];
    await clock.advance(30_000);
    expect(ip()).toBe('10.0.0.1');
    found = ['10.0.0.2'];
    await clock.advance(30_000);
    expect(ip()).toBe('10.0.0.2');
    expect(given).toEqual(['10.0.0.1']);
  });

  it('serves the last address on while the resolver fails, and leaves no timer when closed', async () => {
    let fails = false;
    const { clock, ip, resolver, upstream } = aResolver(() => {
      if (fails) throw new Error('SERVFAIL');
      return ['10.0.0.1'];
    });
    await resolver.settled();
    fails = true;
    await clock.advance(120_000);
    expect(ip()).toBe('10.0.0.1');
    upstream.close();
    resolver.close();
    expect(clock.pending).toBe(0);
  });

  it('resolves the names of a new service ahead of its first request', async () => {
    const { port: up } = await anUpstream((_req, res) => res.end('ok'));
    const { catalogue, port } = await aGateway();
    catalogue.set('web', [anInstance(up, { address: 'some.name' })]);
    expect((await ask(port, '/web/')).body).toBe('ok');
  });

  it('asks for ten thousand endpoints of a thousand services once each', async () => {
    const catalogue = new SettableCatalogue();
    let asked = 0;
    const gateway = createGateway(
      {},
      {
        catalogue,
        clock: new TurnableClock(),
        random: seededRandom(1),
        logger: NO_LOGGER,
        metrics: NO_METRICS,
        addressPolicy: { check: () => ({ allowed: true }) },
        resolve: async () => {
          asked++;
          return ['127.0.0.1'];
        },
      },
    );
    for (let at = 0; at < 1_000; at++) {
      const instances = Array.from({ length: 10 }, (_, port) =>
        anInstance(port + 1, { address: 'some.name' }),
      );
      catalogue.set(`s${at}`, instances);
    }
    expect(asked).toBe(10_000);
    expect(gateway.stats()).toMatchObject({ services: 1_000, endpoints: 10_000 });
    await gateway.close();
  });
});
