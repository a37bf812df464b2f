import { TurnableClock } from '@portolan/testing';
import { describe, expect, it } from 'vitest';
import { toNacosService } from '../nacos-names.ts';
import type { ServiceInfo } from '../service-info.ts';
import type { DatagramPort } from './datagram-port.ts';
import { createUdpPush } from './udp-push.ts';

function setUp(info: Partial<ServiceInfo> = {}) {
  const clock = new TurnableClock();
  const sent: { readonly text: string; readonly host: string; readonly to: number }[] = [];
  const port: DatagramPort = {
    send: (datagram, host, to) => {
      sent.push({ text: new TextDecoder().decode(datagram), host, to });
    },
    onMessage() {
      // Set by the push.
    },
    close() {
      // Holds nothing.
    },
  };
  const listeners = new Set<() => void>();
  const udp = createUdpPush({
    clock,
    port,
    pushes: {
      subscribe(_key, listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      close() {
        // Holds nothing.
      },
    },
    info: () => ({ name: 'DEFAULT_GROUP@@a', hosts: [], ...info }) as unknown as ServiceInfo,
  });
  const service = toNacosService({ serviceName: 'a' }, 'default');
  const subscribe = (host = '10.0.0.1') =>
    udp.subscribe({ host, port: 5_000 }, { service, clusters: '' });
  const change = () => {
    for (const listener of [...listeners]) listener();
  };
  const acknowledge = (host: string, from: number, text = sent.at(-1)?.text ?? '{}') => {
    const { lastRefTime } = JSON.parse(text);
    const ack = { type: 'push-ack', lastRefTime: String(lastRefTime), data: '' };
    port.onMessage(new TextEncoder().encode(JSON.stringify(ack)), host, from);
  };
  return { clock, sent, port, udp, service, subscribe, change, acknowledge, listeners };
}

describe('a push over UDP', () => {
  it('goes to the subscriber and, acknowledged, is not sent again', async () => {
    const { clock, sent, udp, subscribe, change, acknowledge } = setUp();
    subscribe();
    change();
    expect(sent).toMatchObject([{ host: '10.0.0.1', to: 5_000 }]);
    const packet = JSON.parse(sent[0]?.text ?? '');
    expect(packet).toMatchObject({ type: 'dom', lastRefTime: expect.any(Number) });
    expect(JSON.parse(packet.data)).toMatchObject({ name: 'DEFAULT_GROUP@@a' });
    acknowledge('10.0.0.1', 5_000);
    await clock.advance(11_000);
    expect(sent).toHaveLength(1);
    udp.close();
    expect(clock.pending).toBe(0);
  });

  it('is sent once more after ten seconds without an acknowledgement, and then no more', async () => {
    const { clock, sent, udp, subscribe, change } = setUp();
    subscribe();
    change();
    await clock.advance(9_999);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    expect(sent).toHaveLength(2);
    expect(sent[1]).toEqual(sent[0]);
    subscribe();
    await clock.advance(15_000);
    expect(sent).toHaveLength(2);
    udp.close();
  });

  it('heeds no acknowledgement from elsewhere, and nothing that is none', async () => {
    const { clock, sent, port, udp, subscribe, change, acknowledge } = setUp();
    subscribe();
    change();
    acknowledge('10.6.6.6', 5_000);
    acknowledge('10.0.0.1', 5_001);
    for (const text of ['', '{', 'null', '[]', '{"type":"push-ack"}', 'x'.repeat(3_000)]) {
      port.onMessage(new TextEncoder().encode(text), '10.0.0.1', 5_000);
    }
    await clock.advance(10_000);
    expect(sent).toHaveLength(2);
    udp.close();
  });

  it('is compressed when it is long, and left out when it is too long', () => {
    const long = setUp({ checksum: 'x'.repeat(5_000) });
    long.subscribe();
    long.change();
    expect(long.sent[0]?.text.charCodeAt(0)).toBe(0x1f);
    long.udp.close();
    const noise = Array.from({ length: 40_000 }, (_, at) => ((at * 7_919) ** 2).toString(36));
    const tooLong = setUp({ checksum: noise.join('') });
    tooLong.subscribe();
    tooLong.change();
    expect(tooLong.sent).toEqual([]);
    tooLong.udp.close();
  });

  it('ends for who has not asked for half a minute', async () => {
    const { clock, sent, udp, service, subscribe, change, listeners } = setUp();
    subscribe();
    await clock.advance(25_000);
    subscribe();
    await clock.advance(25_000);
    expect(udp.listeners()).toMatchObject([{ address: '10.0.0.1:5000', services: [service] }]);
    await clock.advance(20_000);
    expect(udp.size).toBe(0);
    expect(listeners.size).toBe(0);
    change();
    expect(sent).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('is for a bounded number of subscribers', () => {
    const { udp, subscribe } = setUp();
    for (let at = 0; at < 10_050; at++) subscribe(`10.0.${at >> 8}.${at & 255}`);
    expect(udp.size).toBe(10_000);
    udp.close();
  });
});
