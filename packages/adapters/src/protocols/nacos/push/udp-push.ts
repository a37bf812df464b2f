import { gzipSync } from 'node:zlib';
import { type Clock, serviceId, type TimerHandle } from '@portolan/core';
import type { NacosService } from '../nacos-names.ts';
import type { ServiceInfo } from '../service-info.ts';
import type { DatagramPort } from './datagram-port.ts';
import type { ViewPushes } from './view-pushes.ts';

/** Clients of Nacos 1 that gave a UDP port with their question, and are sent what changes. */
export interface UdpPush {
  /** Also renews: who does not ask again is forgotten. */
  subscribe(at: { readonly host: string; readonly port: number }, of: UdpInterest): void;
  /** Who listens, by `host:port`, and to what. */
  listeners(): readonly UdpListener[];
  readonly size: number;
  close(): void;
}

export interface UdpListener {
  readonly address: string;
  readonly services: readonly NacosService[];
  readonly sinceMs: number;
}

export interface UdpInterest {
  readonly service: NacosService;
  readonly clusters: string;
}

export interface UdpPushDeps {
  readonly clock: Clock;
  readonly pushes: ViewPushes;
  readonly port: DatagramPort;
  /** What to send. */
  readonly info: (interest: UdpInterest) => ServiceInfo;
}

interface Subscriber {
  readonly host: string;
  readonly port: number;
  readonly interest: UdpInterest;
  readonly end: () => void;
  readonly sinceMs: number;
  seenMs: number;
  /** The push that waits for its acknowledgement. */
  pending: { readonly key: number; readonly timer: TimerHandle } | undefined;
}

const MAX_SUBSCRIBERS = 10_000;
/** Clients ask every 10 s. */
const FORGOTTEN_AFTER_MS = 30_000;
const SWEEP_MS = 10_000;
const RETRY_AFTER_MS = 10_000;
const GZIP_FROM_BYTES = 1_024;
const MAX_DATAGRAM_BYTES = 65_507;
const MAX_ACK_BYTES = 2_048;

export function createUdpPush({ clock, pushes, port, info }: UdpPushDeps): UdpPush {
  const subscribers = new Map<string, Subscriber>();
  let sweep: TimerHandle | undefined;
  let lastKey = 0;

  port.onMessage = (datagram, host, from) => {
    const key = ackOf(datagram);
    if (key === undefined) return;
    for (const subscriber of subscribers.values()) {
      if (subscriber.pending?.key !== key) continue;
      // An acknowledgement counts from the one it was asked of only.
      if (subscriber.host !== host || subscriber.port !== from) return;
      settle(subscriber);
      return;
    }
  };

  function settle(subscriber: Subscriber): void {
    subscriber.pending?.timer.cancel();
    subscriber.pending = undefined;
  }

  function forget(id: string, subscriber: Subscriber): void {
    settle(subscriber);
    subscriber.end();
    subscribers.delete(id);
  }

  function push(subscriber: Subscriber): void {
    settle(subscriber);
    lastKey = Math.max(lastKey + 1, Math.floor(clock.wallNow() * 1_000));
    const key = lastKey;
    const datagram = toDatagram(info(subscriber.interest), key);
    // Too much for a datagram: the client finds out when it asks next.
    if (datagram.length > MAX_DATAGRAM_BYTES) return;
    port.send(datagram, subscriber.host, subscriber.port);
    const timer = clock.setTimer(RETRY_AFTER_MS, () => {
      subscriber.pending = undefined;
      port.send(datagram, subscriber.host, subscriber.port);
    });
    subscriber.pending = { key, timer };
  }

  function sweepLater(): void {
    sweep ??= clock.setTimer(SWEEP_MS, () => {
      sweep = undefined;
      const oldest = clock.now() - FORGOTTEN_AFTER_MS;
      for (const [id, subscriber] of subscribers) {
        if (subscriber.seenMs < oldest) forget(id, subscriber);
      }
      if (subscribers.size > 0) sweepLater();
    });
  }

  return {
    get size() {
      return subscribers.size;
    },

    subscribe({ host, port: to }, interest) {
      const id = `${host} ${to} ${serviceId(interest.service.key)} ${interest.clusters}`;
      const present = subscribers.get(id);
      if (present) {
        present.seenMs = clock.now();
        return;
      }
      if (subscribers.size >= MAX_SUBSCRIBERS) return;
      const subscriber: Subscriber = {
        host,
        port: to,
        interest,
        sinceMs: Math.round(clock.wallNow()),
        seenMs: clock.now(),
        pending: undefined,
        end: pushes.subscribe(interest.service.key, () => push(subscriber)),
      };
      subscribers.set(id, subscriber);
      sweepLater();
    },

    listeners() {
      const found = new Map<string, { services: NacosService[]; sinceMs: number }>();
      for (const { host, port: at, interest, sinceMs } of subscribers.values()) {
        const address = `${host}:${at}`;
        const entry = found.get(address) ?? { services: [], sinceMs };
        entry.services.push(interest.service);
        found.set(address, entry);
      }
      return [...found].map(([address, entry]) => ({ address, ...entry }));
    },

    close() {
      for (const [id, subscriber] of subscribers) forget(id, subscriber);
      sweep?.cancel();
      port.close();
    },
  };
}

function toDatagram(info: ServiceInfo, key: number): Uint8Array {
  const packet = { type: 'dom', data: JSON.stringify(info), lastRefTime: key };
  const bytes = Buffer.from(JSON.stringify(packet));
  return bytes.length < GZIP_FROM_BYTES ? bytes : gzipSync(bytes);
}

/** Which push a datagram acknowledges; undefined for anything else. */
function ackOf(datagram: Uint8Array): number | undefined {
  if (datagram.length > MAX_ACK_BYTES) return undefined;
  try {
    const packet: unknown = JSON.parse(new TextDecoder().decode(datagram));
    if (typeof packet !== 'object' || packet === null) return undefined;
    const { type, lastRefTime } = packet as Record<string, unknown>;
    const key = Number(lastRefTime);
    return type === 'push-ack' && Number.isSafeInteger(key) ? key : undefined;
  } catch {
    return undefined;
  }
}
