import type { HttpProtocolAdapter, HttpRoute } from '@portolan/core';
import findMyWay from 'find-my-way';

/** What a request's method and path lead to. */
export type Resolution =
  | {
      readonly kind: 'route';
      readonly adapter: HttpProtocolAdapter;
      readonly route: HttpRoute;
      readonly params: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'no-path'; readonly adapter: HttpProtocolAdapter | undefined }
  | {
      readonly kind: 'no-method';
      readonly adapter: HttpProtocolAdapter;
      /** Value of the Allow field. */
      readonly allow: string;
    };

export interface RouteTable {
  /** A HEAD request finds the GET route when there is no own one. `path` is canonical and without query. */
  resolve(method: string, path: string): Resolution;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
type Method = (typeof METHODS)[number];
type Router = ReturnType<typeof findMyWay>;

interface Mount {
  readonly prefix: string;
  readonly adapter: HttpProtocolAdapter;
  readonly router: Router;
}

/** Finds the adapter by the longest prefix, then the route within that adapter only. */
export function createRouteTable(adapters: readonly HttpProtocolAdapter[]): RouteTable {
  const mounts: Mount[] = [];
  for (const adapter of adapters) {
    const router = findMyWay({ maxParamLength: 4_096 });
    for (const route of adapter.routes) {
      router.on(route.method, route.path, unused, route);
    }
    for (const prefix of adapter.prefixes) mounts.push({ prefix, adapter, router });
  }
  mounts.sort((a, b) => b.prefix.length - a.prefix.length);
  for (const [index, mount] of mounts.entries()) {
    const rival = mounts[index + 1];
    if (rival?.prefix === mount.prefix) {
      throw new Error(
        `${mount.adapter.name} and ${rival.adapter.name} both answer for ${mount.prefix}`,
      );
    }
  }

  const find = (mount: Mount, method: string, path: string) =>
    METHODS.includes(method as Method) ? mount.router.find(method as Method, path) : null;

  return {
    resolve(method, path) {
      const mount = mounts.find((candidate) => isBelow(path, candidate.prefix));
      if (!mount) return { kind: 'no-path', adapter: undefined };
      const { adapter } = mount;
      const found =
        find(mount, method, path) ?? (method === 'HEAD' ? find(mount, 'GET', path) : null);
      if (found) {
        const params = found.params as Readonly<Record<string, string>>;
        return { kind: 'route', adapter, route: found.store as HttpRoute, params };
      }
      const allowed = METHODS.filter((candidate) => find(mount, candidate, path) !== null);
      if (allowed.length === 0) return { kind: 'no-path', adapter };
      if (allowed.includes('GET') && !allowed.includes('HEAD')) allowed.push('HEAD');
      return { kind: 'no-method', adapter, allow: allowed.join(', ') };
    },
  };
}

/** `/api/v1` answers for `/api/v1` and `/api/v1/…`, not for `/api/v10`. */
function isBelow(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return (
    path.length === prefix.length || prefix.endsWith('/') || path.charCodeAt(prefix.length) === 47
  );
}

function unused(): void {
  // Only `find` is used: the table leads to a route, it does not call it.
}
