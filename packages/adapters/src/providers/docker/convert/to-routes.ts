import { createHash } from 'node:crypto';
import type { ServiceKey } from '@portolan/core';
import type { ServiceWish } from '../labels/wish.ts';
import type { RoutePart } from './report.ts';

/** The routes of one service of one container. The same wishes have the same names, whichever container says them. */
export function toRouteParts(wish: ServiceWish, service: ServiceKey): readonly RoutePart[] {
  return (wish.routes ?? []).map((route) => {
    const { hosts, matches, priority, stripPrefix, stickyCookie } = route;
    const said = JSON.stringify([service, hosts, matches, priority, stripPrefix, stickyCookie]);
    const mark = createHash('sha256').update(said).digest('hex').slice(0, 8);
    const name = service.name.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 100);
    return {
      service,
      route: {
        name: `docker-${name}-${mark}`,
        namespace: service.namespace,
        hosts,
        matches,
        ...(priority === undefined ? {} : { priority }),
        ...(stripPrefix === undefined ? {} : { rewritePrefix: '/' }),
        ...(stickyCookie === undefined
          ? {}
          : { sticky: { kind: 'cookie', name: stickyCookie, ttlMs: 0, path: '/' } as const }),
      },
    };
  });
}
