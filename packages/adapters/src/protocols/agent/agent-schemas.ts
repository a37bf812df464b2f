import { AGENT_LIMITS } from '@portolan/core';
import { z } from 'zod';
import type { BodyCodec, RuleProblem } from '../rest/body/body-codec.ts';
import { idField, nameField } from '../rest/schemas/fields.ts';
import { HEARTBEAT_BATCH_MAX } from '../rest/schemas/heartbeat-schema.ts';

const slotField = z
  .int({ error: `a slot from 0 to ${AGENT_LIMITS.slots - 1}` })
  .min(0)
  .max(AGENT_LIMITS.slots - 1);

function slots(max: number) {
  return z.array(slotField).min(1).max(max);
}

/** REGISTER without its items: they are validated one by one, so that a bad one does not refuse its neighbours. */
const registerSchema = z.strictObject({
  slots: slots(AGENT_LIMITS.registrations),
  instances: z.array(z.unknown()).min(1).max(AGENT_LIMITS.registrations),
  /** Results without the instances themselves. */
  brief: z.boolean().optional(),
});

export const registerCodec: BodyCodec<typeof registerSchema> = {
  schema: registerSchema,
  rules: (body) => pairRules(body.slots, body.instances, 'instances'),
};

const attachSchema = z.strictObject({
  namespace: nameField.optional(),
  slots: slots(HEARTBEAT_BATCH_MAX),
  ids: z.array(idField).min(1).max(HEARTBEAT_BATCH_MAX),
});

export const attachCodec: BodyCodec<typeof attachSchema> = {
  schema: attachSchema,
  rules: (body) => pairRules(body.slots, body.ids, 'ids'),
};

/** REPORT: to each slot what a heartbeat of the HTTP API may carry, validated one by one. */
const reportSchema = z.strictObject({
  slots: slots(AGENT_LIMITS.reports),
  reports: z.array(z.unknown()).min(1).max(AGENT_LIMITS.reports),
});

export const reportCodec: BodyCodec<typeof reportSchema> = {
  schema: reportSchema,
  rules: (body) => pairRules(body.slots, body.reports, 'reports'),
};

function pairRules(numbers: unknown, items: unknown, name: string): RuleProblem[] {
  if (!Array.isArray(numbers) || !Array.isArray(items)) return [];
  const problems: RuleProblem[] = [];
  if (numbers.length !== items.length) {
    problems.push({
      path: [name],
      expected: `as many as slots (${numbers.length})`,
      found: `${items.length}`,
    });
  }
  if (new Set(numbers).size !== numbers.length) {
    problems.push({ path: ['slots'], expected: 'each slot once' });
  }
  return problems;
}
