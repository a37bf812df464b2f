import {
  type Route,
  readRoute,
  readTrafficPolicy,
  ShapeError,
  type TrafficPolicy,
  type Webhook,
} from '@portolan/core';
import {
  DamagedValue,
  decodeValue,
  encodeValue,
  type StoredObject,
  stringField,
  stringListField,
} from './stored-value.ts';

export function encodeRoute(route: Route): string {
  // In one order of members, so that equal routes are equal texts.
  return encodeValue(readRoute(route));
}

/** Throws `DamagedValue`. */
export function decodeRoute(value: string): Route {
  return shaped(() => readRoute(decodeValue(value)));
}

export function encodePolicy(policy: TrafficPolicy): string {
  return encodeValue(readTrafficPolicy(policy));
}

/** Throws `DamagedValue`. */
export function decodePolicy(value: string): TrafficPolicy {
  return shaped(() => readTrafficPolicy(decodeValue(value)));
}

function shaped<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ShapeError) throw new DamagedValue(error.message);
    throw error;
  }
}

export function encodeWebhook(webhook: Webhook): string {
  return encodeValue(webhook);
}

/** Throws `DamagedValue`. */
export function decodeWebhook(value: string): Webhook {
  const fields = decodeValue(value);
  return {
    id: stringField(fields, 'id'),
    url: stringField(fields, 'url'),
    secret: stringField(fields, 'secret'),
    events: stringListField(fields, 'events'),
    ...optionalString(fields, 'namespace'),
    ...optionalString(fields, 'service'),
  };
}

function optionalString<const K extends string>(
  fields: StoredObject,
  name: K,
): { readonly [P in K]?: string } {
  if (fields[name] === undefined) return {};
  return { [name]: stringField(fields, name) } as { readonly [P in K]: string };
}
