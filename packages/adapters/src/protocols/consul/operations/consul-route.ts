import type { ControlReply, ControlRequest, HttpRoute } from '@portolan/core';

export type Handler = (
  request: ControlRequest,
  params: Readonly<Record<string, string>>,
) => ControlReply | Promise<ControlReply>;

export function get(path: string, handle: Handler): HttpRoute {
  return { method: 'GET', path: `/v1${path}`, handle };
}

export function put(path: string, handle: Handler, bodyLimitBytes?: number): HttpRoute {
  return {
    method: 'PUT',
    path: `/v1${path}`,
    ...(bodyLimitBytes === undefined ? {} : { bodyLimitBytes }),
    handle,
  };
}

/** A word by which an instance says that it lives: taken also when there is too much to do. */
export function heartbeat(path: string, handle: Handler): HttpRoute {
  return { ...put(path, handle), admission: 'heartbeat' };
}
