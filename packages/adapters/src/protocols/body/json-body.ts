import { RegistryError } from '@portolan/core';
import { locateJsonFault } from './json-fault.ts';
import { appendKey } from './json-path.ts';

export interface JsonBodyLimits {
  /** Objects and arrays inside each other; default 32. */
  readonly maxDepth?: number;
  /** Default 64 KiB. */
  readonly limitBytes?: number;
}

export const DEFAULT_BODY_LIMIT_BYTES = 65_536;
const DEFAULT_MAX_DEPTH = 32;
const BYTE_ORDER_MARK = 0xfeff;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a body as strict JSON or throws a `RegistryError` that says where it is wrong. Depth is counted over the bytes
 * before anything is parsed, so that no input can exhaust the stack.
 */
export function parseJsonBody(bytes: Uint8Array, limits: JsonBodyLimits = {}): unknown {
  const { maxDepth = DEFAULT_MAX_DEPTH, limitBytes = DEFAULT_BODY_LIMIT_BYTES } = limits;
  if (bytes.length > limitBytes) {
    throw new RegistryError('BODY_TOO_LARGE', {
      detail: `The body has ${bytes.length} bytes; at most ${limitBytes} are taken here.`,
    });
  }
  const members = countMembers(bytes, maxDepth);
  const text = decode(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed(text);
  }
  const walk: Walk = { members: 0, forbidden: undefined };
  inspect(value, walk);
  if (walk.forbidden !== undefined) {
    throw new RegistryError('BODY_FORBIDDEN_KEY', {
      detail: `The key ${walk.forbidden} is never allowed.`,
      problems: [{ path: walk.forbidden, expected: 'no such key' }],
    });
  }
  // A repeated key has a colon in the text but only one member in the value (RFC 8259 §4: names SHOULD be unique).
  if (walk.members !== members) throw malformed(text);
  return value;
}

/** Colons outside strings are the members of all objects together. Also enforces the depth. */
function countMembers(bytes: Uint8Array, maxDepth: number): number {
  let depth = 0;
  let members = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x3a) members++;
    else if (byte === 0x7b || byte === 0x5b) {
      depth++;
      if (depth > maxDepth) {
        throw new RegistryError('BODY_TOO_DEEP', {
          detail: `More than ${maxDepth} objects and arrays inside each other, at byte ${at}.`,
        });
      }
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return members;
}

function decode(bytes: Uint8Array): string {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new RegistryError('BODY_NOT_UTF8', {
      detail: 'The body holds a byte sequence that is not UTF-8.',
    });
  }
  if (text.charCodeAt(0) === BYTE_ORDER_MARK) {
    // RFC 8259 §8.1: a byte order mark must not be added.
    throw new RegistryError('BODY_MALFORMED', {
      detail: 'The body begins with a byte order mark; send it without one.',
    });
  }
  return text;
}

interface Walk {
  members: number;
  forbidden: string | undefined;
}

function inspect(value: unknown, walk: Walk): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') inspect(item, walk);
    return;
  }
  const object = value as Readonly<Record<string, unknown>>;
  // What JSON.parse makes inherits nothing that could be enumerated.
  for (const key in object) {
    walk.members++;
    if (FORBIDDEN_KEYS.has(key)) walk.forbidden ??= appendKey('$', key);
    const member = object[key];
    if (typeof member === 'object') inspect(member, walk);
  }
}

function malformed(text: string): RegistryError {
  const fault = locateJsonFault(text);
  if (fault.kind === 'duplicate') {
    return new RegistryError('BODY_MALFORMED', {
      detail: `The key ${fault.path} is given twice, the second time at position ${fault.position}.`,
      problems: [{ path: fault.path, expected: 'each key once' }],
    });
  }
  return new RegistryError('BODY_MALFORMED', {
    detail:
      fault.kind === 'end'
        ? `The JSON text ends too early, at position ${fault.position}.`
        : `Unexpected character at position ${fault.position} of the JSON text.`,
  });
}
