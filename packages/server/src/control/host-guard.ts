import { parseIp, RegistryError } from '@portolan/core';

export interface HostGuard {
  /** Throws ORIGIN_FORBIDDEN. `host` is lower case without port; `origin` as received. */
  check(host: string, method: string, origin: string | undefined): void;
}

/**
 * Keeps web pages from using a visitor's browser to reach the API: a rebound DNS name is refused by its Host, a page
 * of another origin by its Origin, and the addresses and names that people and services use are let through.
 */
export function createHostGuard(allowedHosts: readonly string[]): HostGuard {
  const names = new Set(['localhost', ...allowedHosts.map((host) => host.toLowerCase())]);
  const suffixes = [...names].filter((name) => name.startsWith('*.')).map((name) => name.slice(1));

  const isAllowed = (host: string): boolean =>
    names.has(host) ||
    // A name without a dot is a container's or a host's in a search domain; no public name looks like that.
    !/[.:]/.test(host) ||
    suffixes.some((suffix) => host.endsWith(suffix)) ||
    parseIp(host.startsWith('[') ? host.slice(1, -1) : host) !== undefined;

  return {
    check(host, method, origin) {
      if (host !== '' && !isAllowed(host)) {
        throw new RegistryError('ORIGIN_FORBIDDEN', {
          detail: `This API does not answer under the host name "${host}"; add it to control.allowedHosts.`,
        });
      }
      if (origin === undefined || method === 'GET' || method === 'HEAD') return;
      const from = URL.canParse(origin) ? new URL(origin).hostname.toLowerCase() : origin;
      if (from === host || names.has(from)) return;
      throw new RegistryError('ORIGIN_FORBIDDEN', {
        detail: `A page of ${origin} may not change anything here; add its host to control.allowedHosts.`,
      });
    },
  };
}
