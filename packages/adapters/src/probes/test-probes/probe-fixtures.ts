import {
  type Clock,
  createAddressPolicy,
  type HttpProbeConfig,
  type Registration,
} from '@portolan/core';
import type { ProbeDeps } from '../probe-deps.ts';

// The subjects are sockets and processes, so their time is real.
export const clock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** What a probe is made with: loopback only, two names that resolve. */
export function deps(over: Partial<ProbeDeps> = {}): ProbeDeps {
  return {
    addressPolicy: createAddressPolicy({ allowLoopback: true, ownEndpoints: [] }),
    resolve: async (host) => {
      if (host === 'good.test') return '127.0.0.1';
      if (host === 'metadata.test') return '169.254.169.254';
      throw Object.assign(new Error('no'), { code: 'ENOTFOUND' });
    },
    clock,
    ...over,
  };
}

export const TARGET: Registration = {
  id: 'web-1',
  service: { namespace: 'default', group: 'default', name: 'web' },
  address: '127.0.0.1',
  port: 80,
  tags: [],
  metadata: {},
  weight: 100,
  checks: [],
  initialStatus: 'unknown',
  registeredAtMs: 0,
};

/** An http check of `url`. */
export function http(url: string, over: Partial<HttpProbeConfig> = {}): HttpProbeConfig {
  return {
    kind: 'http',
    url,
    method: 'GET',
    headers: {},
    expectStatus: [{ from: 200, to: 299 }],
    skipTlsVerify: false,
    ...over,
  };
}

/** The deadline of a check that is expected to answer. */
export const live = (): AbortSignal => AbortSignal.timeout(5_000);
