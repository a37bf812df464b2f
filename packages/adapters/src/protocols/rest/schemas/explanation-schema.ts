import { z } from 'zod';

const share = z.number().min(0).max(1);
const labels = z.record(z.string(), z.string());

const endpoint = z.strictObject({
  id: z.string(),
  address: z.string(),
  port: z.int(),
  weight: z.int(),
  state: z.enum([
    'ready',
    'full',
    'ejected',
    'standby',
    'draining',
    'unresolved',
    'forbidden',
    'not-routable',
  ]),
  active: z.int(),
  reason: z.string().nullable(),
  share: share.nullable(),
});

export const explanationAnswer = z
  .strictObject({
    outcome: z.enum(['forward', 'redirect', 'answer', 'refused']),
    refusal: z.strictObject({ code: z.string(), status: z.int(), message: z.string() }).nullable(),
    request: z
      .strictObject({
        method: z.string(),
        host: z.string(),
        path: z.string(),
        query: z.string(),
        scheme: z.enum(['http', 'https']),
        clientIp: z.string(),
      })
      .nullable(),
    passedOver: z.array(
      z.strictObject({ route: z.string(), path: z.string(), failed: z.string() }),
    ),
    passedOverMore: z.int(),
    route: z
      .strictObject({
        name: z.string(),
        configured: z.boolean(),
        path: z.string(),
        filters: z.array(z.string()),
      })
      .nullable(),
    redirect: z.strictObject({ status: z.int(), location: z.string() }).nullable(),
    answer: z.strictObject({ status: z.int() }).nullable(),
    forwarded: z.strictObject({ host: z.string(), target: z.string() }).nullable(),
    sticky: z
      .strictObject({
        by: z.enum(['header', 'query', 'source', 'cookie']),
        name: z.string().nullable(),
        caller: z.string().nullable(),
      })
      .nullable(),
    destinations: z.array(
      z.strictObject({
        service: z.string(),
        namespace: z.string(),
        group: z.string(),
        subset: z.string().nullable(),
        labels,
        weight: z.int(),
        share,
        balancer: z.string(),
        panicking: z.boolean(),
        endpoints: z.array(endpoint),
      }),
    ),
  })
  .meta({ id: 'RouteExplanation' });
