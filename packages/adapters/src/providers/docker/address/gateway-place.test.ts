import { describe, expect, it } from 'vitest';
import { recordedContainers } from '../test-engine/recorded-engine.ts';
import { findGatewayPlace, type PlaceInput } from './gateway-place.ts';

const containers = recordedContainers();
const byName = (name: string) => [...containers.values()].find((one) => one.name === name);

function aPlace(more: Partial<PlaceInput> = {}) {
  return findGatewayPlace({
    setting: 'auto',
    engine: { kind: 'unix', path: '/var/run/docker.sock' },
    facts: { apiVersion: '1.51', version: '', hidden: false },
    ownIds: [],
    containers,
    networks: [],
    internalHosts: [],
    ...more,
  });
}

describe('the place of the gateway', () => {
  it('is the engine’s machine when nothing else is known', () => {
    expect(aPlace()).toMatchObject({ kind: 'host', hostAddresses: ['127.0.0.1'] });
    const local = { kind: 'tcp', host: 'localhost', port: 2375 } as const;
    expect(aPlace({ engine: local }).kind).toBe('host');
  });

  it('is a container when the engine has one with an id of ours, by whatever way it is asked', () => {
    const own = byName('shop-web-1');
    const proxied = { kind: 'tcp', host: 'socket-proxy', port: 2375 } as const;
    for (const id of [own?.id ?? '', own?.id.slice(0, 12) ?? '']) {
      expect(aPlace({ ownIds: [id], engine: proxied })).toEqual({
        kind: 'container',
        containerId: own?.id,
        networkIds: new Set(own?.attachments.map((attachment) => attachment.id)),
        hostAddresses: ['172.19.0.1', '172.20.0.1'],
        why: 'this process runs in container shop-web-1',
      });
    }
  });

  it('is the machine for a container in its network', () => {
    expect(aPlace({ ownIds: [byName('on-host')?.id ?? ''] })).toMatchObject({ kind: 'host' });
  });

  it('takes no container for its own whose id merely begins with a few of our letters', () => {
    expect(aPlace({ ownIds: [byName('shop-web-1')?.id.slice(0, 4) ?? ''] }).kind).toBe('host');
  });

  it('is elsewhere with an engine on another host, which is reached by the address of its name', () => {
    const engine = { kind: 'tcp', host: 'engine.example', port: 2376 } as const;
    expect(aPlace({ engine, engineIp: '10.1.2.3' })).toMatchObject({
      kind: 'elsewhere',
      hostAddresses: ['10.1.2.3'],
      why: 'the engine is on engine.example',
    });
  });

  it('is elsewhere with an engine that keeps its networks to itself', () => {
    const facts = { apiVersion: '1.51', version: '', hidden: true };
    expect(aPlace({ facts })).toMatchObject({ kind: 'elsewhere', hostAddresses: ['127.0.0.1'] });
  });

  it('prefers what it is told', () => {
    expect(aPlace({ setting: 'elsewhere', hostAddress: '10.0.0.9' })).toMatchObject({
      kind: 'elsewhere',
      hostAddresses: ['10.0.0.9'],
    });
    expect(aPlace({ setting: 'container', internalHosts: ['192.168.65.2'] }).hostAddresses).toEqual(
      ['192.168.65.2'],
    );
  });
});
