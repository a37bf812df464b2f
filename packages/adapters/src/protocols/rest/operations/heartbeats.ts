import {
  type AsciiTexts,
  countOf,
  DEFAULT_GROUP,
  type Heartbeat,
  type InstanceRef,
  type Registry,
  toAsciiTexts,
} from '@portolan/core';
import { withoutBrackets } from '../../targets/probe-target.ts';
import { requireValid } from '../body/body-codec.ts';
import { requireJsonMediaType } from '../body/media-type.ts';
import { toRoleJson } from '../codecs/exclusive-json.ts';
import { jsonReply } from '../json-reply.ts';
import {
  type Call,
  instanceRefOf,
  NAMESPACE_QUERY,
  namespaceOf,
  type Operation,
  type RestContext,
  readBody,
  readJson,
  SERVICE_QUERY,
  unknownInstance,
} from '../operation.ts';
import { nameParameter } from '../query.ts';
import { heartbeatAnswer, heartbeatBatchAnswer } from '../schemas/answer-schemas.ts';
import {
  heartbeatBatchCodec,
  heartbeatBatchSchema,
  heartbeatCodec,
  heartbeatSchema,
  type NamedHeartbeatBody,
  namedHeartbeatCodec,
  namedHeartbeatSchema,
  toHeartbeat,
} from '../schemas/heartbeat-schema.ts';
import { readPlainHeartbeats } from '../schemas/plain-heartbeats.ts';

const TAG = 'Heartbeats';
const BATCH_LIMIT_BYTES = 4 * 1_024 * 1_024;
const ERRORS = [
  'INSTANCE_NOT_FOUND',
  'CHECK_NOT_FOUND',
  'VALIDATION_FAILED',
  'LABEL_LIMIT',
] as const;

/** Renewals: one by id, one by name or address, many at once. */
export function heartbeatOperations(context: RestContext): Operation[] {
  const { registry } = context;

  async function renew(ref: InstanceRef, heartbeat: Heartbeat | undefined) {
    const { id, ttlMs, status, exclusive } = await registry.heartbeat(ref, heartbeat);
    return jsonReply({
      id,
      ttlMs: ttlMs === undefined ? null : Math.round(ttlMs),
      status,
      exclusive: toRoleJson(exclusive),
    });
  }

  const named = (method: 'PUT' | 'POST', id: string): Operation => ({
    id,
    tag: TAG,
    summary: 'Renew the lease of the instance that the body names',
    method,
    path: '/heartbeat',
    alias: '/heartbeat',
    query: SERVICE_QUERY,
    body: { schema: namedHeartbeatSchema, required: true },
    answers: { 200: { description: 'Renewed.', schema: heartbeatAnswer } },
    errors: ERRORS,
    admission: 'heartbeat',
    handle(call) {
      const body = requireValid(namedHeartbeatCodec, readJson(call));
      const { query } = call.request;
      const namespace = body.namespace ?? namespaceOf(call);
      const group = body.group ?? nameParameter(query, 'group') ?? DEFAULT_GROUP;
      return renew(toRef(registry, body, namespace, group), toHeartbeat(body));
    },
  });

  return [
    {
      id: 'heartbeat',
      tag: TAG,
      summary: 'Renew an instance’s lease; metadata and status may travel with it',
      method: 'PUT',
      path: '/instances/:id/heartbeat',
      query: NAMESPACE_QUERY,
      body: { schema: heartbeatSchema, required: false },
      answers: { 200: { description: 'Renewed.', schema: heartbeatAnswer } },
      errors: ERRORS,
      admission: 'heartbeat',
      handle(call) {
        const ref = instanceRefOf(call);
        if (call.request.body.length === 0) return renew(ref, undefined);
        return renew(ref, toHeartbeat(readBody(call, heartbeatCodec)));
      },
    },
    named('PUT', 'heartbeatByName'),
    named('POST', 'postHeartbeatByName'),
    {
      id: 'heartbeatMany',
      tag: TAG,
      summary: 'Renew up to 10,000 leases',
      method: 'POST',
      path: '/instances/heartbeat',
      query: NAMESPACE_QUERY,
      body: { schema: heartbeatBatchSchema, required: true, limitBytes: BATCH_LIMIT_BYTES },
      answers: {
        200: {
          description: 'How many, and which ids have to register again.',
          schema: heartbeatBatchAnswer,
        },
      },
      errors: ['VALIDATION_FAILED'],
      admission: 'heartbeat',
      async handle(call) {
        const namespace = namespaceOf(call);
        const ids = readIds(call);
        const unknown = await registry.renewIds(namespace, ids);
        return jsonReply({ renewed: countOf(ids) - unknown.length, unknown });
      },
    },
  ];
}

function readIds(call: Call): AsciiTexts {
  requireJsonMediaType(call.request.header('content-type'));
  const plain = readPlainHeartbeats(call.request.body);
  if (plain) return plain;
  const { ids } = readBody(call, heartbeatBatchCodec, { limitBytes: BATCH_LIMIT_BYTES });
  return toAsciiTexts(ids);
}

function toRef(
  registry: Registry,
  body: NamedHeartbeatBody,
  namespace: string,
  group: string,
): InstanceRef {
  const id = body.id ?? body.instanceId;
  if (id !== undefined) return { namespace, id };
  const name = body.service ?? body.serviceName ?? '';
  const address = withoutBrackets(body.address ?? body.ip ?? '');
  const { port } = body;
  const found =
    port === undefined ? undefined : registry.instanceAt({ namespace, group, name }, address, port);
  // By the id that it has when it says none (rule 1).
  if (!found) throw unknownInstance({ namespace, id: `${name}-${address}-${port}` });
  return { namespace, id: found.id };
}
