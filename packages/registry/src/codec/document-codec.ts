import type {
  Destination,
  FieldMatch,
  PathMatch,
  RetryPolicy,
  Route,
  RouteMatch,
  TrafficPolicy,
  Webhook,
} from '@portolan/core';
import {
  asObject,
  DamagedValue,
  decodeValue,
  encodeValue,
  listField,
  numberField,
  objectField,
  oneOfField,
  type StoredObject,
  stringField,
  stringListField,
  stringMapField,
} from './stored-value.ts';

export function encodeRoute(route: Route): string {
  return encodeValue(route);
}

/** Throws `DamagedValue`. */
export function decodeRoute(value: string): Route {
  const fields = decodeValue(value);
  return {
    name: stringField(fields, 'name'),
    namespace: stringField(fields, 'namespace'),
    hosts: stringListField(fields, 'hosts'),
    matches: listField(fields, 'matches').map(decodeMatch),
    destinations: listField(fields, 'destinations').map(decodeDestination),
    ...optionalString(fields, 'rewritePrefix'),
    ...optionalString(fields, 'rewriteHost'),
    ...optionalNumber(fields, 'timeoutMs'),
    ...(fields.retries === undefined
      ? {}
      : { retries: decodeRetries(objectField(fields, 'retries')) }),
    ...(fields.balancer === undefined
      ? {}
      : { balancer: oneOfField(fields, 'balancer', ['weighted-round-robin', 'least-request']) }),
  };
}

function decodeMatch(value: unknown): RouteMatch {
  const fields = asObject(value, 'match');
  return {
    ...(fields.path === undefined ? {} : { path: decodePath(objectField(fields, 'path')) }),
    ...(fields.methods === undefined ? {} : { methods: stringListField(fields, 'methods') }),
    ...(fields.headers === undefined
      ? {}
      : { headers: decodeHeaders(objectField(fields, 'headers')) }),
  };
}

function decodeHeaders(fields: StoredObject): Record<string, FieldMatch> {
  const headers: Record<string, FieldMatch> = {};
  for (const name of Object.keys(fields)) {
    headers[name] = { exact: stringField(objectField(fields, name), 'exact') };
  }
  return headers;
}

function decodePath(fields: StoredObject): PathMatch {
  if (fields.exact !== undefined) return { exact: stringField(fields, 'exact') };
  if (fields.prefix !== undefined) return { prefix: stringField(fields, 'prefix') };
  throw new DamagedValue('path has neither exact nor prefix');
}

function decodeDestination(value: unknown): Destination {
  const fields = asObject(value, 'destination');
  return {
    service: stringField(fields, 'service'),
    namespace: stringField(fields, 'namespace'),
    group: stringField(fields, 'group'),
    subset: stringMapField(fields, 'subset'),
    weight: numberField(fields, 'weight'),
  };
}

function decodeRetries(fields: StoredObject): RetryPolicy {
  return {
    attempts: numberField(fields, 'attempts'),
    ...optionalNumber(fields, 'perTryTimeoutMs'),
  };
}

export function encodePolicy(policy: TrafficPolicy): string {
  return encodeValue(policy);
}

/** Throws `DamagedValue`. */
export function decodePolicy(value: string): TrafficPolicy {
  const fields = decodeValue(value);
  return {
    service: stringField(fields, 'service'),
    namespace: stringField(fields, 'namespace'),
    group: stringField(fields, 'group'),
    subsets: {},
  };
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

function optionalNumber<const K extends string>(
  fields: StoredObject,
  name: K,
): { readonly [P in K]?: number } {
  if (fields[name] === undefined) return {};
  return { [name]: numberField(fields, name) } as { readonly [P in K]: number };
}
