import { z } from 'zod';
import { nameField } from './fields.ts';
import { policySchema } from './policy-schema.ts';
import { routeSchema } from './route-schema.ts';

export const MAX_APPLIED = 1_000;
const revisionField = z.int().min(1).optional();

const deletions = z
  .strictObject({
    routes: z
      .array(
        z.strictObject({
          name: nameField,
          namespace: nameField.optional(),
          revision: revisionField,
        }),
      )
      .max(MAX_APPLIED)
      .optional(),
    policies: z
      .array(
        z.strictObject({
          service: nameField,
          namespace: nameField.optional(),
          group: nameField.optional(),
          revision: revisionField,
        }),
      )
      .max(MAX_APPLIED)
      .optional(),
  })
  .meta({ id: 'DocumentDeletions' });

/** What stands around the documents; each of these is read by its own rules. */
const documents = z.array(z.record(z.string(), z.unknown())).max(MAX_APPLIED).optional();
export const applyCodec = {
  schema: z.strictObject({ routes: documents, policies: documents, delete: deletions.optional() }),
};

/** As the API document has it. */
export const applySchema = z
  .strictObject({
    routes: z.array(routeSchema).max(MAX_APPLIED).optional(),
    policies: z.array(policySchema).max(MAX_APPLIED).optional(),
    delete: deletions.optional(),
  })
  .meta({
    id: 'ApplyBody',
    examples: [
      {
        policies: [{ service: 'reviews', subsets: { v2: { labels: { version: 'v2' } } } }],
        routes: [{ name: 'reviews', to: [{ service: 'reviews', subset: 'v2' }] }],
      },
    ],
  });

export const applyAnswer = z
  .strictObject({
    applied: z.array(
      z.strictObject({
        kind: z.enum(['route', 'policy']),
        /** A policy's is its service's. */
        name: z.string(),
        namespace: z.string(),
        /** Of policies only. */
        group: z.string().optional(),
        outcome: z.enum(['created', 'configured', 'unchanged', 'deleted']),
      }),
    ),
    dryRun: z.boolean(),
    revision: z.int(),
  })
  .meta({ id: 'Applied' });
