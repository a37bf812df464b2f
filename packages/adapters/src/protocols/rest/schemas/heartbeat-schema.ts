import type { Heartbeat, Status } from '@portolan/core';
import { z } from 'zod';
import type { BodyCodec, RuleProblem } from '../body/body-codec.ts';
import { describe } from '../body/zod-problems.ts';
import {
  addressField,
  idField,
  metadataPatchField,
  nameField,
  portField,
  reportedStatusField,
  STATUS_WORDS,
  toLabelPatch,
} from './fields.ts';

const reportFields = {
  metadata: metadataPatchField.optional(),
  status: reportedStatusField.optional(),
  checkId: idField.optional(),
  output: z.string().max(4_096).optional(),
};

/** What may travel with a heartbeat whose id stands in the path. */
export const heartbeatSchema = z
  .strictObject(reportFields)
  .meta({ id: 'Heartbeat', examples: [{ metadata: { version: 'v1.0.1' } }] });

/** The short alias: the body names the instance. */
export const namedHeartbeatSchema = z
  .strictObject({
    id: idField.optional(),
    instanceId: idField.optional(),
    service: nameField.optional(),
    serviceName: nameField.optional(),
    address: addressField.optional(),
    ip: addressField.optional(),
    port: portField.optional(),
    namespace: nameField.optional(),
    group: nameField.optional(),
    ...reportFields,
  })
  .meta({
    id: 'NamedHeartbeat',
    examples: [
      { id: 'user-service-1' },
      { service: 'user-service', ip: '192.168.0.1', port: 8080 },
    ],
  });

export type NamedHeartbeatBody = z.output<typeof namedHeartbeatSchema>;

export const heartbeatCodec: BodyCodec<typeof heartbeatSchema> = { schema: heartbeatSchema };

export const namedHeartbeatCodec: BodyCodec<typeof namedHeartbeatSchema> = {
  schema: namedHeartbeatSchema,
  rules: (body) => {
    const problems: RuleProblem[] = [];
    for (const pair of [
      ['id', 'instanceId'],
      ['service', 'serviceName'],
      ['address', 'ip'],
    ] as const) {
      const [name, alias] = pair;
      if (body[name] !== undefined && body[alias] !== undefined) {
        problems.push({
          path: [alias],
          expected: `only one of ${pair.join(', ')}`,
          found: describe(body[alias]),
        });
      }
    }
    const hasId = (body.id ?? body.instanceId) !== undefined;
    const hasAddress =
      (body.service ?? body.serviceName) !== undefined &&
      (body.address ?? body.ip) !== undefined &&
      body.port !== undefined;
    if (!hasId && !hasAddress) {
      problems.push({
        path: ['id'],
        expected: 'an id, or service, address and port',
        found: 'nothing',
      });
    }
    return problems;
  },
};

/** The heartbeat as the registry takes it; undefined when it only renews. */
export function toHeartbeat(body: z.output<typeof heartbeatSchema>): Heartbeat | undefined {
  const { metadata, status, checkId, output } = body;
  if (metadata === undefined && status === undefined && output === undefined) {
    if (checkId === undefined) return undefined;
  }
  return {
    ...(metadata === undefined ? undefined : { metadata: toLabelPatch(metadata) }),
    ...(status === undefined
      ? undefined
      : { status: STATUS_WORDS[status] as Exclude<Status, 'unknown'> }),
    ...(checkId === undefined ? undefined : { checkId }),
    ...(output === undefined ? undefined : { output }),
  };
}

export const HEARTBEAT_BATCH_MAX = 10_000;

export const heartbeatBatchSchema = z
  .strictObject({ ids: z.array(idField).min(1).max(HEARTBEAT_BATCH_MAX) })
  .meta({ id: 'HeartbeatBatch', examples: [{ ids: ['user-service-1', 'user-service-2'] }] });

export const heartbeatBatchCodec: BodyCodec<typeof heartbeatBatchSchema> = {
  schema: heartbeatBatchSchema,
};
