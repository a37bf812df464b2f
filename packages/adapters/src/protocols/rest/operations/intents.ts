import type { IntentPatch } from '@portolan/core';
import { toInstanceJson } from '../codecs/instance-json.ts';
import { jsonReply } from '../json-reply.ts';
import {
  type Call,
  instanceRefOf,
  NAMESPACE_QUERY,
  type Operation,
  type RestContext,
  readBody,
} from '../operation.ts';
import { instanceAnswer } from '../schemas/answer-schemas.ts';
import {
  intentCodec,
  intentSchema,
  maintenanceCodec,
  maintenanceSchema,
  toIntentPatch,
} from '../schemas/intent-schema.ts';

const TAG = 'Intent';
const RESET: IntentPatch = { enabled: true, weight: null, maintenance: null };
const DEFAULT_REASON = 'requested by the operator';

/** What the operator wants of an instance, apart from what it says of itself. */
export function intentOperations(context: RestContext): Operation[] {
  const operation = (
    method: 'PUT' | 'POST' | 'DELETE',
    path: string,
    id: string,
    summary: string,
    toPatch: (call: Call) => IntentPatch,
    body?: Operation['body'],
  ): Operation => ({
    id,
    tag: TAG,
    summary,
    method,
    path: `/instances/:id/${path}`,
    query: NAMESPACE_QUERY,
    ...(body === undefined ? undefined : { body }),
    answers: { 200: { description: 'The instance.', schema: instanceAnswer } },
    errors: ['INSTANCE_NOT_FOUND', ...(body === undefined ? [] : (['VALIDATION_FAILED'] as const))],
    async handle(call) {
      const ref = instanceRefOf(call);
      return jsonReply(toInstanceJson(await context.registry.setIntent(ref, toPatch(call))));
    },
  });

  return [
    operation(
      'PUT',
      'intent',
      'setIntent',
      'Change what the operator wants; it survives reconnects',
      (call) => toIntentPatch(readBody(call, intentCodec)),
      { schema: intentSchema, required: true },
    ),
    operation('DELETE', 'intent', 'resetIntent', 'Want nothing special any more', () => RESET),
    operation('POST', 'enable', 'enableInstance', 'Let it have traffic', () => ({
      enabled: true,
    })),
    operation('POST', 'disable', 'disableInstance', 'Take its new traffic away', () => ({
      enabled: false,
    })),
    operation(
      'POST',
      'maintenance',
      'setMaintenance',
      'Begin or end maintenance; an empty body begins it',
      (call) => {
        const { enable = true, reason = DEFAULT_REASON } = readBody(call, maintenanceCodec, {
          optional: true,
        });
        return { maintenance: enable ? { reason } : null };
      },
      { schema: maintenanceSchema, required: false },
    ),
  ];
}
