import {
  type Clock,
  type ControlReply,
  type ControlRequest,
  type HttpRoute,
  RegistryError,
} from '@portolan/core';
import { jsonReply, textReply } from './nacos-call.ts';

const MAX_WAITING = 10_000;
const MAX_WAIT_MS = 60_000;
/** Nacos answers this much before its client gives up. */
const EARLY_MS = 500;
const NOT_THERE = 'config data not exist';
const NOT_KEPT =
  'Configuration is not kept here; point the configuration client to its own server.';

/**
 * There is no configuration here. Clients that ask for some all the same are told so in the way that lets them go on: nothing is
 * there, and nothing changes for as long as they want to wait.
 */
export function configRoutes({ clock }: { readonly clock: Clock }): HttpRoute[] {
  let waiting = 0;

  async function listen(request: ControlRequest): Promise<ControlReply> {
    const timeout = Number(request.header('long-pulling-timeout') ?? Number.NaN);
    const noHangUp = request.header('long-pulling-timeout-no-hangup') === 'true';
    if (!Number.isFinite(timeout) || noHangUp) return textReply('');
    if (waiting >= MAX_WAITING) {
      throw new RegistryError('TOO_MANY_WATCHERS', { detail: 'No more listeners can be taken.' });
    }
    waiting++;
    try {
      await pause(clock, Math.min(MAX_WAIT_MS, Math.max(0, timeout - EARLY_MS)), request.signal);
    } finally {
      waiting--;
    }
    return textReply('');
  }

  const refuse = (): ControlReply => textReply(NOT_KEPT, 501);
  const absent = { code: 20_004, message: 'resource not found', data: NOT_THERE };
  const refused = { code: 30_000, message: NOT_KEPT, data: null };
  return [
    { method: 'GET', path: '/nacos/v1/cs/configs', handle: () => textReply(NOT_THERE, 404) },
    { method: 'POST', path: '/nacos/v1/cs/configs', handle: refuse },
    { method: 'DELETE', path: '/nacos/v1/cs/configs', handle: refuse },
    { method: 'POST', path: '/nacos/v1/cs/configs/listener', handle: listen },
    { method: 'GET', path: '/nacos/v2/cs/config', handle: () => jsonReply(absent, 404) },
    { method: 'POST', path: '/nacos/v2/cs/config', handle: () => jsonReply(refused, 501) },
    { method: 'DELETE', path: '/nacos/v2/cs/config', handle: () => jsonReply(refused, 501) },
  ];
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimer(ms, end);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
