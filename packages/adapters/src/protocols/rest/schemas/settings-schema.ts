import { z } from 'zod';
import type { BodyCodec } from '../body/body-codec.ts';
import { idField } from './fields.ts';

export const settingsSchema = z
  .strictObject({ exclusive: z.boolean() })
  .meta({ id: 'ServiceSettingsBody', examples: [{ exclusive: true }] });

export const settingsCodec: BodyCodec<typeof settingsSchema> = { schema: settingsSchema };

/** Without `to` the next in line takes over. */
export const handOverSchema = z
  .strictObject({ to: idField.optional() })
  .meta({ id: 'HandOver', examples: [{}, { to: 'scheduler-2' }] });

export const handOverCodec: BodyCodec<typeof handOverSchema> = { schema: handOverSchema };
