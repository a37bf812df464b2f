import {
  type ControlReply,
  ERROR_TABLE,
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
  /** Whether paths that are not there may be there soon. */
  readonly starting: () => boolean;
  /** Lines of the page at `/`. */
  readonly about: () => string;
}

const TEXT = 'text/plain; charset=utf-8';
/** How others see whether this process is well: answered also when there is too much to do. */
const OBSERVED = { method: 'GET', admission: 'essential' } as const;

/** What every process answers whatever its role: `/`, `/livez`, `/readyz`, `/metrics`. */
export function createSystemAdapter(deps: SystemAdapterDeps): HttpProtocolAdapter {
  return {
    transport: 'http',
    name: 'system',
    prefixes: ['/', '/livez', '/readyz', '/metrics'],
    routes: [
      { ...OBSERVED, path: '/', handle: () => text(200, deps.about()) },
      { ...OBSERVED, path: '/livez', handle: () => text(200, 'alive\n') },
      {
        ...OBSERVED,
        path: '/readyz',
        handle() {
          const reasons = deps.readiness.reasons();
          return reasons.length === 0
            ? text(200, 'ready\n')
            : text(503, `not ready\n${reasons.map((reason) => `- ${reason}\n`).join('')}`);
        },
      },
      {
        ...OBSERVED,
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
        if (error.code === 'PATH_NOT_FOUND' && deps.starting()) return notYet(request.requestId);
        return text(error.row.http, `${error.row.title}: ${error.message}\n`);
      }
      return text(
        500,
        `A fault of ours; it is logged under the request id ${request.requestId}.\n`,
      );
    },
  };
}

/** RFC 9457, as the API whose paths these may be has it. */
function notYet(requestId: string): ControlReply {
  const { http, title, retryable } = ERROR_TABLE.STARTING;
  const problem = {
    type: 'urn:portolan:error:STARTING',
    title,
    status: http,
    detail: 'The API answers as soon as the server has read its store.',
    code: 'STARTING',
    instance: requestId,
    retryable,
    errors: [],
  };
  const headers = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'retry-after': '1',
  };
  return { status: http, headers, body: JSON.stringify(problem) };
}

function text(status: number, body: string): ControlReply {
  return { status, headers: { 'content-type': TEXT, 'cache-control': 'no-store' }, body };
}
