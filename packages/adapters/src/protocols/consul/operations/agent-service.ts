import { createHash } from 'node:crypto';
import type { ControlReply, ControlRequest, HttpRoute } from '@portolan/core';
import { waitForChange } from '../../watching/wait-for-change.ts';
import { toAgentServiceJson, weightDivisor } from '../codecs/service-json.ts';
import type { ConsulContext } from '../consul-context.ts';
import { textReply } from '../consul-error.ts';
import { callerAddress, findInstance } from '../identity.ts';
import { jsonReply } from '../json-reply.ts';
import { readOptions } from '../query/request-options.ts';
import { get } from './consul-route.ts';

/** `/v1/agent/service/:id`: one service, which is waited for by the hash of what it is registered as. */
export function agentServiceByIdRoutes(context: ConsulContext): HttpRoute[] {
  return [get('/agent/service/:id', (request, { id = '' }) => readService(context, request, id))];
}

async function readService(
  context: ConsulContext,
  request: ControlRequest,
  id: string,
): Promise<ControlReply> {
  const { registry, clock } = context;
  const options = readOptions(request, context.datacenter);
  const own = callerAddress(request.remoteAddress);
  const known = request.query.get('hash') ?? '';
  const endMs = clock.now() + options.waitMs;
  for (;;) {
    const instance = findInstance(registry, options.namespace, id, own);
    if (!instance) return textReply(404, `unknown service ID: ${id}`);
    const divisor = weightDivisor(registry.view(instance.service));
    const service = toAgentServiceJson(instance, divisor, context.datacenter);
    const hash = contentHash(service);
    const leftMs = endMs - clock.now();
    const isNews = known === '' || hash !== known || request.method === 'HEAD';
    if (isNews || leftMs <= 0 || request.signal.aborted) {
      const reply = jsonReply({ ...service, ContentHash: hash }, options.pretty);
      return { ...reply, headers: { ...reply.headers, 'x-consul-contenthash': hash } };
    }
    const subscribe = (wake: () => void) => registry.subscribeService(instance.service, wake);
    await waitForChange(context, subscribe, leftMs, request.signal);
  }
}

function contentHash(service: object): string {
  return createHash('sha256').update(JSON.stringify(service)).digest('hex').slice(0, 16);
}
