import { DURATION_EXPECTED, formatDuration, parseDuration } from '@portolan/core';
import { z } from 'zod';
import { isHost, withoutBrackets } from '../../targets/probe-target.ts';

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,126}[A-Za-z0-9])?$/;
const NAME_EXPECTED =
  'a name of 1 to 128 letters, digits, ".", "_", "-" or ":", beginning and ending with a letter or digit';
const ID = /^[A-Za-z0-9][!-"$&-.0-;=@-[\]-~]{0,255}$/;
const ID_EXPECTED =
  'an id of 1 to 256 printable ASCII characters without space, "/", "\\", "?", "#", "%", "<" or ">", beginning with a letter or digit';
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Service, namespace, group and route names. */
export const nameField = z
  .string({ error: NAME_EXPECTED })
  .regex(NAME, { error: NAME_EXPECTED })
  .meta({ examples: ['user-service'] });

/** Instance ids. */
export const idField = z
  .string({ error: ID_EXPECTED })
  .regex(ID, { error: ID_EXPECTED })
  .meta({ examples: ['user-service-1'] });

/** Whether a path parameter or query value may be an instance id at all. */
export function isId(text: string): boolean {
  return ID.test(text);
}

export function isName(text: string): boolean {
  return NAME.test(text);
}

const PORT_EXPECTED = 'a port from 1 to 65535';
export const portField = z
  .int({ error: PORT_EXPECTED })
  .min(1, { error: PORT_EXPECTED })
  .max(65_535, { error: PORT_EXPECTED });

const ADDRESS_EXPECTED = 'an IPv4 or IPv6 address or a host name';
export const addressField = z
  .string({ error: ADDRESS_EXPECTED })
  .max(255, { error: ADDRESS_EXPECTED })
  .refine((text) => isHost(withoutBrackets(text)), { error: ADDRESS_EXPECTED })
  .meta({ examples: ['172.18.0.12', 'fd00::12', 'users.internal'] });

const LABEL_EXPECTED = 'text without control characters or lone surrogates';
/** Whether a label may hold it. */
export function isCleanText(text: string): boolean {
  return text.isWellFormed() && !CONTROL.test(text);
}

export const tagField = z
  .string({ error: LABEL_EXPECTED })
  .min(1, { error: 'a tag that is not empty' })
  .refine(isCleanText, { error: LABEL_EXPECTED });

const METADATA_EXPECTED = 'a string, number or boolean';
/** A metadata value; numbers and booleans become strings. */
const metadataValue = z
  .union([z.string(), z.number(), z.boolean()], { error: METADATA_EXPECTED })
  .refine((value) => typeof value !== 'string' || value.isWellFormed(), { error: LABEL_EXPECTED });
const metadataKey = z
  .string()
  .min(1, { error: 'a key that is not empty' })
  .refine(isCleanText, { error: LABEL_EXPECTED });

export const metadataField = z
  .record(metadataKey, metadataValue)
  .meta({ examples: [{ version: 'v1', region: 'us' }] });

/** As `metadataField`; null removes the key. */
export const metadataPatchField = z.record(metadataKey, metadataValue.nullable());

export const weightField = z.int().min(0).max(65_535);

/** A duration on the wire, given to the code as milliseconds. */
export function durationField(limits: { readonly minMs: number; readonly maxMs: number }) {
  const range = `from ${formatDuration(limits.minMs)} to ${formatDuration(limits.maxMs)}`;
  const expected = `${DURATION_EXPECTED}, ${range}`;
  return z
    .union([z.string(), z.number()], { error: expected })
    .transform((value, context) => {
      const durationMs = parseDuration(value);
      if (durationMs !== undefined && durationMs >= limits.minMs && durationMs <= limits.maxMs) {
        return durationMs;
      }
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    })
    .meta({
      description: `${DURATION_EXPECTED}; ${range}`,
      examples: ['10s'],
    });
}

export const DAY_MS = 86_400_000;

/** Status words taken in requests, both Eureka's and ours. */
export const STATUS_WORDS = {
  UP: 'passing',
  DOWN: 'critical',
  STARTING: 'unknown',
  OUT_OF_SERVICE: 'critical',
  UNKNOWN: 'unknown',
  passing: 'passing',
  warning: 'warning',
  critical: 'critical',
  unknown: 'unknown',
} as const;

type StatusWord = keyof typeof STATUS_WORDS;
export const statusField = z.enum(Object.keys(STATUS_WORDS) as [StatusWord, ...StatusWord[]]);
export const reportedStatusField = z.enum([
  'UP',
  'DOWN',
  'OUT_OF_SERVICE',
  'passing',
  'warning',
  'critical',
]);

/** Turns numbers and booleans into strings. */
export function toLabelValues(
  metadata: Readonly<Record<string, string | number | boolean>>,
): Record<string, string> {
  const labels: Record<string, string> = Object.create(null);
  for (const [key, value] of Object.entries(metadata)) labels[key] = String(value);
  return labels;
}

/** As `toLabelValues`, keeping the nulls of a patch. */
export function toLabelPatch(
  metadata: Readonly<Record<string, string | number | boolean | null>>,
): Record<string, string | null> {
  const labels: Record<string, string | null> = {};
  for (const [key, value] of Object.entries(metadata)) {
    labels[key] = value === null ? null : String(value);
  }
  return labels;
}
