import { parseIp } from '@portolan/core';
import { describeFault } from './describe-fault.ts';
import type { ProbeDeps } from './probe-deps.ts';

/** An address to dial, or why there is none, in words for people. */
export type DialTarget =
  | { readonly ok: true; readonly ip: string; readonly shown: string }
  | { readonly ok: false; readonly reason: string };

/** Resolves `host` once and asks the policy about the answer. Never rejects; settles at once when `signal` aborts. */
export async function findDialTarget(
  host: string,
  port: number,
  deps: ProbeDeps,
  signal: AbortSignal,
): Promise<DialTarget> {
  if (signal.aborted) return TIMED_OUT;
  let ip = host;
  if (!parseIp(host)) {
    try {
      const answer = await untilAborted(deps.resolve(host), signal);
      if (answer === undefined) return TIMED_OUT;
      ip = answer;
    } catch (error) {
      return { ok: false, reason: `cannot resolve ${host}: ${describeFault(error)}` };
    }
  }
  const verdict = deps.addressPolicy.check(ip, port);
  if (!verdict.allowed) return { ok: false, reason: `not dialled: ${verdict.reason}` };
  return { ok: true, ip, shown: formatEndpoint(ip, port) };
}

const TIMED_OUT: DialTarget = { ok: false, reason: 'no answer in time while resolving the name' };

/** `10.0.0.1:80`, `[::1]:80`. */
export function formatEndpoint(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The promise's value, or undefined as soon as `signal` aborts. The operating system's resolver cannot be stopped. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
