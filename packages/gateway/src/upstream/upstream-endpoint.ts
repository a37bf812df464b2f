import {
  type Endpoint,
  type Instance,
  type Labels,
  newOutlierState,
  type OutlierState,
  type TimerHandle,
} from '@portolan/core';
import { type EndpointTransport, PLAIN_TRANSPORT } from '../transport/endpoint-transport.ts';

/** An instance as this gateway dials it. One object for as long as id, address and port stay the same. */
export class UpstreamEndpoint implements Endpoint {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly key: string;
  labels: Labels;
  /** What it takes now; below `fullWeight` while it warms up. */
  weight: number;
  fullWeight: number;
  /** When it came or came back; -Infinity: it was there before us. */
  warmSinceMs = Number.NEGATIVE_INFINITY;
  active = 0;
  /** Takes no new request; its connections close when the last of its requests is done. */
  draining = false;
  /** The address to dial: the literal, or what the name resolved to; undefined while unknown or forbidden. */
  ip: string | undefined;
  /** How it is dialled. */
  transport: EndpointTransport = PLAIN_TRANSPORT;
  outlier: OutlierState = newOutlierState();
  readmission: TimerHandle | undefined;

  constructor(instance: Instance) {
    this.id = instance.id;
    this.address = instance.address;
    this.port = instance.port;
    this.key = endpointKey(instance);
    this.labels = instance.labels;
    this.weight = instance.effectiveWeight;
    this.fullWeight = instance.effectiveWeight;
  }
}

/** What makes an endpoint the same across updates. */
export function endpointKey(instance: {
  readonly id: string;
  readonly address: string;
  readonly port: number;
}): string {
  return `${instance.address} ${instance.port} ${instance.id}`;
}
