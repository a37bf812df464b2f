import { type CheckInput, type ProbeConfig, RegistryError } from '@portolan/core';
import { z } from 'zod';
import {
  HEADER_VALUE,
  isPlainHttpUrl,
  isProbeHeader,
  parseGrpcTarget,
  parseHostPort,
} from '../../targets/probe-target.ts';
import type { RuleProblem } from '../body/body-codec.ts';
import { describe } from '../body/zod-problems.ts';
import { DAY_MS, durationField, idField } from './fields.ts';

const URL_EXPECTED = 'an absolute http or https URL without credentials or fragment';
const TCP_EXPECTED = 'host:port';
const GRPC_EXPECTED = 'host:port or host:port/service';
const STATUS_EXPECTED = 'a status from 100 to 599, a range such as "200-299", or a list of these';
const HEADER_EXPECTED = 'a header value without control characters';
const KINDS = ['http', 'tcp', 'grpc', 'ttl', 'script'] as const;

const statusRange = z
  .union([z.int().min(100).max(599), z.string()], { error: STATUS_EXPECTED })
  .refine((value) => parseStatusRange(value) !== undefined, { error: STATUS_EXPECTED });

/** One check as it stands in a registration. */
export const checkSchema = z
  .strictObject({
    id: idField.optional(),
    http: z
      .string({ error: URL_EXPECTED })
      .refine(isPlainHttpUrl, { error: URL_EXPECTED })
      .optional(),
    tcp: z
      .string({ error: TCP_EXPECTED })
      .refine((text) => parseHostPort(text) !== undefined, { error: TCP_EXPECTED })
      .optional(),
    grpc: z
      .string({ error: GRPC_EXPECTED })
      .refine((text) => parseGrpcTarget(text) !== undefined, { error: GRPC_EXPECTED })
      .optional(),
    ttl: durationField({ minMs: 100, maxMs: DAY_MS }).optional(),
    script: z
      .unknown()
      .optional()
      .meta({ description: 'Always refused: script checks are not accepted from the network.' }),
    method: z.enum(['GET', 'HEAD', 'POST', 'OPTIONS']).optional(),
    headers: z
      .record(
        z.string().refine(isProbeHeader, {
          error: 'a header name that does not frame the message',
        }),
        z.string({ error: HEADER_EXPECTED }).regex(HEADER_VALUE, { error: HEADER_EXPECTED }),
      )
      .optional(),
    expectStatus: z
      .union([statusRange, z.array(statusRange).min(1).max(16)], { error: STATUS_EXPECTED })
      .optional(),
    bodyContains: z.string().min(1).max(1_024).optional(),
    tlsSkipVerify: z.boolean().optional(),
    tls: z.boolean().optional(),
    interval: durationField({ minMs: 100, maxMs: DAY_MS }).optional(),
    timeout: durationField({ minMs: 10, maxMs: 3_600_000 }).optional(),
    rise: z.int().min(1).max(1_000).optional(),
    fall: z.int().min(1).max(1_000).optional(),
    deregisterAfter: durationField({ minMs: 0, maxMs: 365 * DAY_MS }).optional(),
  })
  .meta({
    id: 'Check',
    description: 'Exactly one of http, tcp, grpc and ttl says what is asked.',
    oneOf: KINDS.slice(0, 4).map((kind) => ({ required: [kind] })),
  });

export type CheckBody = z.output<typeof checkSchema>;

const ONLY_FOR: Readonly<Record<string, readonly string[]>> = {
  method: ['http'],
  headers: ['http'],
  expectStatus: ['http'],
  bodyContains: ['http'],
  tlsSkipVerify: ['http'],
  tls: ['grpc'],
};

/** What a check's fields must be together. */
export function checkRules(check: unknown, at: readonly PropertyKey[]): RuleProblem[] {
  if (typeof check !== 'object' || check === null || Array.isArray(check)) return [];
  const given = KINDS.filter((kind) => Reflect.get(check, kind) !== undefined);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    return [
      {
        path: at,
        expected: 'exactly one of http, tcp, grpc, ttl',
        found: given.length === 0 ? 'none of them' : given.join(' and '),
      },
    ];
  }
  const problems: RuleProblem[] = [];
  for (const [field, kinds] of Object.entries(ONLY_FOR)) {
    const value: unknown = Reflect.get(check, field);
    if (value === undefined || kinds.includes(kind) || kind === 'script') continue;
    problems.push({
      path: [...at, field],
      expected: `only together with ${kinds.join(' or ')}`,
      found: describe(value, [field]),
    });
  }
  return problems;
}

/** The check as the registry takes it. Throws SCRIPT_CHECK_FORBIDDEN for a script. */
export function toCheckInput(check: CheckBody, path: string): CheckInput {
  if (check.script !== undefined) {
    throw new RegistryError('SCRIPT_CHECK_FORBIDDEN', {
      detail:
        'A script check may only come from the operator’s own configuration or an agent’s command line.',
      problems: [{ path: `${path}.script`, expected: 'an http, tcp, grpc or ttl check' }],
    });
  }
  return {
    probe: toProbe(check),
    ...(check.id === undefined ? undefined : { id: check.id }),
    ...(check.interval === undefined ? undefined : { intervalMs: check.interval }),
    ...(check.timeout === undefined ? undefined : { timeoutMs: check.timeout }),
    ...(check.rise === undefined ? undefined : { rise: check.rise }),
    ...(check.fall === undefined ? undefined : { fall: check.fall }),
    ...(check.deregisterAfter === undefined
      ? undefined
      : { deregisterAfterMs: check.deregisterAfter }),
  };
}

function toProbe(check: CheckBody): ProbeConfig {
  if (check.http !== undefined) {
    const expected = check.expectStatus ?? '200-299';
    const ranges = (Array.isArray(expected) ? expected : [expected]).flatMap(
      (range) => parseStatusRange(range) ?? [],
    );
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(check.headers ?? {})) {
      headers[name.toLowerCase()] = value;
    }
    return {
      kind: 'http',
      url: check.http,
      method: check.method ?? 'GET',
      headers,
      expectStatus: ranges,
      skipTlsVerify: check.tlsSkipVerify ?? false,
      ...(check.bodyContains === undefined ? undefined : { bodyContains: check.bodyContains }),
    };
  }
  if (check.tcp !== undefined) {
    const target = parseHostPort(check.tcp);
    if (target) return { kind: 'tcp', ...target };
  }
  if (check.grpc !== undefined) {
    const target = parseGrpcTarget(check.grpc);
    if (target) return { kind: 'grpc', ...target, tls: check.tls ?? false };
  }
  if (check.ttl !== undefined) return { kind: 'ttl', ttlMs: check.ttl };
  throw new Error('A check passed validation without saying what to ask.');
}

function parseStatusRange(value: string | number): { from: number; to: number } | undefined {
  const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(String(value));
  if (!match) return undefined;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  return from <= to ? { from, to } : undefined;
}
