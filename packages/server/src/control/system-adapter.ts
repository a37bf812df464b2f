import {
  type ControlReply,
  type HttpProtocolAdapter,
  isRegistryError,
  RegistryError,
} from '@portolan/core';

/** Whether the process serves, and if not, why. */
export interface Readiness {
  /** Empty: ready. */
  reasons(): readonly string[];
}

export interface SystemAdapterDeps {
  readonly readiness: Readiness;
  /** Absent: `/metrics` says that metrics are off. */
  readonly metrics?: { render(): Promise<string>; readonly contentType: string };
  /** Lines of the page at `/`. */
  readonly about: () => string;
}

const TEXT = 'text/plain; charset=utf-8';

/** What every process answers whatever its role: `/`, `/livez`, `/readyz`, `/metrics`. */
export function createSystemAdapter(deps: SystemAdapterDeps): HttpProtocolAdapter {
  return {
    transport: 'http',
    name: 'system',
    prefixes: ['/', '/livez', '/readyz', '/metrics'],
    routes: [
      { method: 'GET', path: '/', handle: () => text(200, deps.about()) },
      { method: 'GET', path: '/livez', handle: () => text(200, 'alive\n') },
      {
        method: 'GET',
        path: '/readyz',
        handle() {
          const reasons = deps.readiness.reasons();
          return reasons.length === 0
            ? text(200, 'ready\n')
            : text(503, `not ready\n${reasons.map((reason) => `- ${reason}\n`).join('')}`);
        },
      },
      {
        method: 'GET',
        path: '/metrics',
        async handle() {
          const { metrics } = deps;
          if (!metrics) throw new RegistryError('PATH_NOT_FOUND', { detail: 'Metrics are off.' });
          const body = await metrics.render();
          return {
            status: 200,
            headers: { 'content-type': metrics.contentType, 'cache-control': 'no-store' },
            body,
          };
        },
      },
    ],
    renderError(error, request) {
      if (isRegistryError(error)) {
        return text(error.row.http, `${error.row.title}: ${error.message}\n`);
      }
      return text(
        500,
        `A fault of ours; it is logged under the request id ${request.requestId}.\n`,
      );
    },
  };
}

function text(status: number, body: string): ControlReply {
  return { status, headers: { 'content-type': TEXT, 'cache-control': 'no-store' }, body };
}
