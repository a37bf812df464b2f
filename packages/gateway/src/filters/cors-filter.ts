import type { CorsPolicy } from '@portolan/core';
import { compileTextMatch } from '../routing/text-matcher.ts';
import type { Filter } from './filter.ts';

const ANSWER_FIELDS = [
  'Access-Control-Allow-Origin',
  'Access-Control-Allow-Credentials',
  'Access-Control-Allow-Methods',
  'Access-Control-Allow-Headers',
  'Access-Control-Expose-Headers',
  'Access-Control-Max-Age',
];

/** Answers preflights, and tells browsers who may read answers (fetch.spec.whatwg.org §3.2); what upstreams say of it is replaced. */
export function createCorsFilter(policy: CorsPolicy): Filter {
  const credentials = policy.credentials === true;
  const anyOrigin =
    !credentials && policy.origins.some((origin) => 'exact' in origin && origin.exact === '*');
  const origins = policy.origins.map(compileTextMatch);
  const methods = (policy.methods ?? ['GET', 'HEAD', 'POST']).join(', ');
  const headers = policy.headers?.join(', ');
  const exposed = policy.exposeHeaders?.join(', ');

  /** What to answer to that origin; undefined when it is not allowed. */
  function allowed(origin: string | undefined): string | undefined {
    if (origin === undefined) return undefined;
    if (anyOrigin) return '*';
    return origins.some((matches) => matches(origin)) ? origin : undefined;
  }

  function common(origin: string): string[] {
    const lines = ['Access-Control-Allow-Origin', origin];
    if (credentials) lines.push('Access-Control-Allow-Credentials', 'true');
    return lines;
  }

  return {
    name: 'cors',
    onRequest(request) {
      const { head } = request;
      const asked = head.get('access-control-request-method');
      const origin = head.get('origin');
      if (head.method !== 'OPTIONS' || asked === undefined || origin === undefined) {
        return 'continue';
      }
      const lines = [
        'Vary',
        'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
      ];
      const permitted = allowed(origin);
      if (permitted !== undefined) {
        lines.push(...common(permitted), 'Access-Control-Allow-Methods', methods);
        const wanted = headers ?? head.get('access-control-request-headers');
        // With no list of the route's own, every field that is asked for is allowed.
        if (wanted !== undefined) lines.push('Access-Control-Allow-Headers', wanted);
        if (policy.maxAgeMs !== undefined) {
          lines.push('Access-Control-Max-Age', String(Math.floor(policy.maxAgeMs / 1_000)));
        }
      }
      request.answer(204, lines);
      return 'answered';
    },
    onResponse(request, response) {
      const { head } = request;
      const preflight =
        head.method === 'OPTIONS' && head.get('access-control-request-method') !== undefined;
      if (preflight && response.head === undefined) return;
      for (const name of ANSWER_FIELDS) response.removeHeader(name);
      const permitted = allowed(head.get('origin'));
      if (!anyOrigin) response.addHeader('Vary', 'Origin');
      if (permitted === undefined) return;
      const lines = common(permitted);
      for (let at = 0; at + 1 < lines.length; at += 2) {
        response.setHeader(lines[at] ?? '', lines[at + 1] ?? '');
      }
      if (exposed !== undefined) response.setHeader('Access-Control-Expose-Headers', exposed);
    },
  };
}
