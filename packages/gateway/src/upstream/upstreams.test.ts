import { NO_LOGGER, NO_METRICS } from '@portolan/core';
import { seededRandom, TurnableClock } from '@portolan/testing';
import { describe, expect, it } from 'vitest';
import { createGateway } from '../gateway.ts';
import { anInstance, aRoute, SettableCatalogue } from '../test-rig/settable-catalogue.ts';
import { createDialledAddresses } from './dialled-addresses.ts';
import { UpstreamEndpoint } from './upstream-endpoint.ts';

function aFollower(resolve: () => Promise<readonly string[]> = async () => ['127.0.0.1']) {
  const catalogue = new SettableCatalogue();
  const clock = new TurnableClock();
  const gateway = createGateway(
    {},
    {
      catalogue,
      clock,
      random: seededRandom(1),
      logger: NO_LOGGER,
      metrics: NO_METRICS,
      addressPolicy: { check: () => ({ allowed: true }) },
      resolve,
    },
  );
  return { catalogue, clock, gateway };
}

describe('the lifecycle of upstreams', () => {
  it('leaves nothing of ten thousand services that came and went, neither upstream nor timer', async () => {
    const { catalogue, clock, gateway } = aFollower();
    for (let at = 0; at < 10_000; at++) {
      catalogue.set(`s${at}`, [anInstance(1, { address: at % 100 === 0 ? 'some.name' : '::1' })]);
      if (at % 10 === 0) expect(gateway.stats().services).toBeLessThanOrEqual(101);
      if (at >= 100) catalogue.set(`s${at - 100}`, []);
    }
    for (let at = 9_900; at < 10_000; at++) catalogue.set(`s${at}`, []);
    await clock.advance(60_000);
    expect(gateway.stats()).toMatchObject({ services: 0, endpoints: 0 });
    expect(clock.pending).toBe(0);
    await gateway.close();
  });

  it('keeps the upstream of a service without instances while a route refers to it', () => {
    const { catalogue, gateway } = aFollower();
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    catalogue.set('web', [anInstance(1)]);
    catalogue.set('web', []);
    expect(gateway.stats().services).toBe(1);
    catalogue.setRoutes([]);
    expect(gateway.stats().services).toBe(0);
    catalogue.set('web', [anInstance(1)]);
    expect(gateway.stats().services).toBe(0);
    catalogue.setRoutes([aRoute({ name: 'r' })]);
    expect(gateway.stats()).toMatchObject({ services: 1, endpoints: 1 });
  });

  it('makes none for a service that nobody asks for, unless its names have to be resolved ahead', () => {
    const { catalogue, gateway } = aFollower();
    for (let at = 0; at < 50; at++) catalogue.set(`s${at}`, [anInstance(at + 1)]);
    expect(gateway.stats()).toMatchObject({ services: 0, endpoints: 0 });
    catalogue.set('named', [anInstance(1), anInstance(2, { id: 'b', address: 'some.name' })]);
    expect(gateway.stats()).toMatchObject({ services: 1, endpoints: 2 });
  });

  it('leaves no timer behind after listening and closing', async () => {
    const { catalogue, clock, gateway } = aFollower();
    catalogue.set('web', [anInstance(1, { address: 'some.name' })]);
    await gateway.listen('127.0.0.1', 0);
    await gateway.close();
    expect(clock.pending).toBe(0);
  });

  it('waits for names at most two seconds before it serves', async () => {
    const { catalogue, clock, gateway } = aFollower(() => new Promise(() => undefined));
    catalogue.set('web', [anInstance(1, { address: 'some.name' })]);
    const listening = gateway.listen('127.0.0.1', 0);
    await clock.advance(2_000);
    expect((await listening).port).toBeGreaterThan(0);
    await gateway.close();
    expect(clock.pending).toBe(0);
  });
});

describe('dialled addresses', () => {
  it('stay open until the last of the services that share one has left', () => {
    const unused: string[] = [];
    const addresses = createDialledAddresses((ip, port) => unused.push(`${ip} ${port}`));
    const one = new UpstreamEndpoint(anInstance(1));
    const other = new UpstreamEndpoint(anInstance(1));
    addresses.assign(one, '::1');
    addresses.assign(other, '::1');
    addresses.assign(one, undefined);
    expect(unused).toEqual([]);
    addresses.assign(other, '::2');
    expect(unused).toEqual(['::1 1']);
    addresses.assign(other, undefined);
    expect(unused).toEqual(['::1 1', '::2 1']);
    expect(addresses.size).toBe(0);
  });
});
