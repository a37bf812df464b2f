import type { IntentPatch } from '@portolan/core';
import { z } from 'zod';
import type { BodyCodec } from '../body/body-codec.ts';
import { weightField } from './fields.ts';

const reasonField = z.string().max(256);

export const intentSchema = z
  .strictObject({
    enabled: z.boolean().optional(),
    weight: weightField.nullable().optional(),
    maintenance: z.strictObject({ reason: reasonField }).nullable().optional(),
  })
  .meta({
    id: 'IntentPatch',
    description: 'Absent fields keep what they are; null clears.',
    examples: [{ enabled: false }, { weight: 10 }, { maintenance: { reason: 'disk swap' } }],
  });

export const intentCodec: BodyCodec<typeof intentSchema> = { schema: intentSchema };

export const maintenanceSchema = z
  .strictObject({ enable: z.boolean().optional(), reason: reasonField.optional() })
  .meta({ id: 'Maintenance', examples: [{ enable: true, reason: 'disk swap' }] });

export const maintenanceCodec: BodyCodec<typeof maintenanceSchema> = { schema: maintenanceSchema };

export function toIntentPatch(body: z.output<typeof intentSchema>): IntentPatch {
  return {
    ...(body.enabled === undefined ? undefined : { enabled: body.enabled }),
    ...(body.weight === undefined ? undefined : { weight: body.weight }),
    ...(body.maintenance === undefined ? undefined : { maintenance: body.maintenance }),
  };
}
