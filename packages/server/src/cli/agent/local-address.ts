import { connect } from 'node:net';
import type { Clock } from '@portolan/core';

/**
 * The address under which others reach this machine, as far as the registry can: the local end of a connection towards
 * it; loopback when the registry is on loopback. Undefined when no registry answers.
 */
export function findLocalAddress(
  registryUrl: string,
  timeoutMs: number,
  clock: Clock,
): Promise<string | undefined> {
  const url = new URL(registryUrl.includes('://') ? registryUrl : `http://${registryUrl}`);
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  return new Promise((resolve) => {
    const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port });
    const finish = (address?: string) => {
      timer.cancel();
      socket.destroy();
      resolve(address?.replace(/^::ffff:/, ''));
    };
    const timer = clock.setTimer(timeoutMs, () => finish());
    socket.once('connect', () => finish(socket.localAddress));
    socket.once('error', () => finish());
  });
}

/** Whether the registry's URL itself says that it is on this machine. */
export function isLoopbackUrl(registryUrl: string): boolean {
  const url = new URL(registryUrl.includes('://') ? registryUrl : `http://${registryUrl}`);
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
}
