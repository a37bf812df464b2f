import { createHmac } from 'node:crypto';
import type { UpstreamEndpoint } from './upstream-endpoint.ts';

/** Names instances to browsers: nobody without the key can make a name, or learn from one which instance is meant. */
export interface SessionTokens {
  /** 32 characters that may stand in a cookie. */
  tokenOf(service: string, endpoint: UpstreamEndpoint): string;
}

/** Tokens are HMAC-SHA256, cut to 192 bits; those of a service's endpoints are remembered while these are. */
export function createSessionTokens(key: Buffer): SessionTokens {
  const known = new WeakMap<UpstreamEndpoint, string>();
  return {
    tokenOf(service, endpoint) {
      let token = known.get(endpoint);
      if (token === undefined) {
        const named = `${service}\n${endpoint.key}`;
        token = createHmac('sha256', key).update(named).digest('base64url').slice(0, 32);
        known.set(endpoint, token);
      }
      return token;
    },
  };
}
