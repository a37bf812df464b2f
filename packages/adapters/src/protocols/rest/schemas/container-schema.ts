import { z } from 'zod';

const engine = {
  engine: z.string(),
  apiVersion: z.string(),
  connected: z.boolean(),
  /** Why it is not. */
  problem: z.string().nullable(),
  gateway: z
    .strictObject({
      on: z.enum(['host', 'container', 'elsewhere']),
      why: z.string(),
      hostAddresses: z.array(z.string()),
    })
    .nullable(),
};

const container = z
  .strictObject({
    kind: z.enum(['container', 'task', 'service']),
    id: z.string(),
    name: z.string(),
    image: z.string(),
    state: z.string(),
    standing: z.enum(['registered', 'unroutable', 'ignored', 'stopped']),
    reason: z.string(),
    exposedBy: z.string(),
    services: z.array(
      z.strictObject({
        service: z.string(),
        instance: z.string(),
        address: z.string().nullable(),
        port: z.int().nullable(),
        rule: z.string().nullable(),
        portRule: z.string(),
        reason: z.string(),
        passedOver: z.array(z.strictObject({ candidate: z.string(), reason: z.string() })),
      }),
    ),
    routes: z.array(z.string()),
    notes: z.array(z.string()),
  })
  .meta({ id: 'Container' });

export const containersAnswer = z
  .strictObject({ ...engine, containers: z.array(container) })
  .meta({ id: 'Containers' });
