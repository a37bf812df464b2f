import {
  type ControlReply,
  type ControlRequest,
  type HttpProtocolAdapter,
  isRegistryError,
  type Logger,
  RegistryError,
} from '@portolan/core';
import type { Resolution } from './route-table.ts';

/** What a reply in some dialect needs to know of its request. */
export type RequestIdentity = Pick<ControlRequest, 'method' | 'path' | 'requestId'>;

/** Calls the route's handler, or says in the owning dialect's words why there is none. Never throws. */
export function answer(
  resolution: Resolution,
  request: ControlRequest,
  fallback: HttpProtocolAdapter,
  logger: Logger,
): ControlReply | Promise<ControlReply> {
  if (resolution.kind !== 'route') return refuse(resolution, request, fallback, logger);
  const { adapter, route, params } = resolution;
  try {
    const reply = route.handle(request, params);
    // A handler that answers at once costs no promise.
    if (!(reply instanceof Promise)) return reply;
    return reply.catch((error: unknown) => renderFault(adapter, error, request, logger));
  } catch (error) {
    return renderFault(adapter, error, request, logger);
  }
}

/** 404 or 405 with Allow, in the words of the dialect that owns the path. */
export function refuse(
  resolution: Exclude<Resolution, { kind: 'route' }>,
  request: RequestIdentity,
  fallback: HttpProtocolAdapter,
  logger: Logger,
): ControlReply {
  const adapter = resolution.adapter ?? fallback;
  if (resolution.kind === 'no-path') {
    const detail = `There is nothing at ${request.path}.`;
    return renderFault(adapter, new RegistryError('PATH_NOT_FOUND', { detail }), request, logger);
  }
  const detail = `${request.path} takes ${resolution.allow}, not ${request.method}.`;
  const error = new RegistryError('METHOD_NOT_ALLOWED', { detail });
  const reply = renderFault(adapter, error, request, logger);
  // RFC 9110 §15.5.6: a 405 carries Allow; a dialect may know better what its own clients are told.
  return { ...reply, headers: { allow: resolution.allow, ...reply.headers } };
}

/** Renders what went wrong; faults of ours are logged under the id that the reply carries. */
export function renderFault(
  adapter: HttpProtocolAdapter,
  error: unknown,
  request: RequestIdentity,
  logger: Logger,
): ControlReply {
  const { method, path, requestId } = request;
  if (!isRegistryError(error) || error.code === 'INTERNAL') {
    logger.error({ err: error, requestId, method, path }, 'a request failed by a fault of ours');
  }
  try {
    return adapter.renderError(error, request);
  } catch (renderError) {
    logger.error({ err: renderError, requestId }, 'an error could not be rendered');
    const headers = { 'content-type': 'text/plain; charset=utf-8' };
    return { status: 500, headers, body: `A fault of ours, logged under ${requestId}.\n` };
  }
}
