import { type ControlReply, type ControlRequest, RegistryError } from '@portolan/core';
import { parseJsonBody } from '../../body/json-body.ts';
import { answerWith, formOf } from '../answer.ts';
import { type EurekaContext, type EurekaOperation, isReplication } from '../eureka-context.ts';
import { toEurekaInstance } from '../from-instance.ts';
import { type EurekaLifecycle, unknownInstance } from '../lifecycle.ts';
import { asWhole, readInstance, readStatus } from '../read-instance.ts';
import { readXml } from '../xml/read-xml.ts';

const OK: ControlReply = { status: 200, headers: {} };
const NO_CONTENT: ControlReply = { status: 204, headers: {} };

/** What clients say of themselves, and what operators say of them. */
export function writingOperations(
  context: EurekaContext,
  lifecycle: EurekaLifecycle,
): EurekaOperation[] {
  return [
    {
      method: 'POST',
      path: '/apps/:name',
      async handle(request, { name = '' }) {
        await lifecycle.register(name, readInstance(readBody(request)), isReplication(request));
        // Java clients take nothing else for success.
        return NO_CONTENT;
      },
    },
    {
      method: 'PUT',
      path: '/apps/:name/:id',
      admission: 'heartbeat',
      async handle(request, { name = '', id = '' }) {
        const dirty = dirtyParameter(request);
        const renewal = await lifecycle.renew(name, id, dirty, isReplication(request));
        if (renewal === 'renewed') return OK;
        if (renewal === 'unknown') throw unknownInstance(name, id);
        const form = formOf(request);
        const text = form.instance(toEurekaInstance(renewal.stale, context));
        return answerWith(context, request, form, [form.instanceDocument(text)], 409);
      },
    },
    {
      method: 'DELETE',
      path: '/apps/:name/:id',
      async handle(_request, { name = '', id = '' }) {
        await lifecycle.cancel(name, id);
        return OK;
      },
    },
    {
      method: 'PUT',
      path: '/apps/:name/:id/status',
      async handle(request, { name = '', id = '' }) {
        dirtyParameter(request);
        const status = readStatus(request.query.get('value') ?? undefined, 'value');
        await lifecycle.override(name, id, status);
        return OK;
      },
    },
    {
      method: 'DELETE',
      path: '/apps/:name/:id/status',
      async handle(request, { name = '', id = '' }) {
        dirtyParameter(request);
        const value = request.query.get('value');
        if (value !== null) readStatus(value, 'value');
        await lifecycle.removeOverride(name, id);
        return OK;
      },
    },
    {
      method: 'PUT',
      path: '/apps/:name/:id/metadata',
      async handle(request, { name = '', id = '' }) {
        const metadata: Record<string, string> = Object.create(null);
        for (const [key, value] of request.query) metadata[key] = value;
        await lifecycle.putMetadata(name, id, metadata);
        return OK;
      },
    },
  ];
}

function dirtyParameter(request: ControlRequest): number | undefined {
  const value = request.query.get('lastDirtyTimestamp');
  // Java writes the word for what it has not.
  if (value === null || value === 'null') return undefined;
  return asWhole(value, 'lastDirtyTimestamp');
}

/** `{"instance":…}` or `<instance>`, told apart by the content type or, without one, by the first character. */
function readBody(request: ControlRequest): unknown {
  const { body } = request;
  const encoding = request.header('content-encoding')?.toLowerCase() ?? 'identity';
  const type = request.header('content-type')?.toLowerCase() ?? '';
  if (encoding !== 'identity') {
    throw new RegistryError('MEDIA_TYPE_UNSUPPORTED', {
      detail: `Content-Encoding ${encoding.slice(0, 40)} is not taken; send the body as it is.`,
    });
  }
  if (type.includes('xml') || (type === '' && body[0] === 0x3c)) return readXml(body, 'instance');
  if (type.includes('json') || type === '') {
    const value = parseJsonBody(body);
    const wrapped = typeof value === 'object' && value !== null && Object.hasOwn(value, 'instance');
    return wrapped ? Reflect.get(value, 'instance') : value;
  }
  throw new RegistryError('MEDIA_TYPE_UNSUPPORTED', {
    detail: 'The body has to be application/json or application/xml.',
  });
}
