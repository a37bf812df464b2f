import { isIP } from 'node:net';
import type { AddressPolicy, Clock } from '@portolan/core';
import { Client } from 'undici';
import { describeFault } from '../probes/describe-fault.ts';
import { findDialTarget } from '../probes/dial-target.ts';

export interface PostDeps {
  /** Asked about the resolved address, right before it is dialled. */
  readonly addressPolicy: AddressPolicy;
  /** Name to IP literal; what it answers is what is dialled. */
  readonly resolve: (host: string) => Promise<string>;
  readonly clock: Clock;
}

/** Undefined when it was taken (2xx); else why not, and whether another try may help. */
export type PostFault = { readonly reason: string; readonly retryable: boolean } | undefined;

const RESPONSE_LIMIT_BYTES = 65_536;

/** Posts once on a connection of its own. Redirects are an answer like any other that is not 2xx. Never rejects. */
export async function postDelivery(
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: string,
  timeoutMs: number,
  deps: PostDeps,
  signal: AbortSignal,
): Promise<PostFault> {
  const timeout = new AbortController();
  const timer = deps.clock.setTimer(timeoutMs, () => timeout.abort());
  const either = AbortSignal.any([timeout.signal, signal]);
  try {
    const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
    const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
    const target = await findDialTarget(host, port, deps, either);
    if (!target.ok) return { reason: target.reason, retryable: true };
    return await exchange(url, headers, body, target.ip, either);
  } catch (error) {
    const reason = timeout.signal.aborted
      ? `no answer within ${timeoutMs} ms`
      : describeFault(error);
    return { reason, retryable: true };
  } finally {
    timer.cancel();
  }
}

async function exchange(
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: string,
  ip: string,
  signal: AbortSignal,
): Promise<PostFault> {
  const client = new Client(url.origin, {
    allowH2: false,
    connect: {
      lookup: (_host, options, callback) => {
        const family = isIP(ip);
        if (options.all) callback(null, [{ address: ip, family }]);
        else callback(null, ip, family);
      },
    },
  });
  try {
    const response = await client.request({
      method: 'POST',
      path: `${url.pathname}${url.search}`,
      headers,
      body,
      signal,
    });
    await response.body.dump({ limit: RESPONSE_LIMIT_BYTES, signal });
    const { statusCode } = response;
    if (statusCode >= 200 && statusCode < 300) return undefined;
    // 408 and 429 ask for another try; every other 4xx, and a redirect, will not change by asking again.
    const retryable = statusCode >= 500 || statusCode === 408 || statusCode === 429;
    return { reason: `answered ${statusCode}`, retryable };
  } finally {
    await client.destroy();
  }
}
