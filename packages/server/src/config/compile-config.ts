import { type AddressPolicy, createAddressPolicy, type OwnEndpoint, parseIp } from '@portolan/core';
import type { HttpServerLimits } from '@portolan/http';
import type { AdmissionOptions } from '../control/admission.ts';
import type { PortolanConfig } from './schema.ts';
import type { ListenAddress } from './value-types.ts';

/** What the configuration means for dialling, given where we really listen. */
export function compileAddressPolicy(
  config: PortolanConfig,
  listening: readonly ListenAddress[],
  localAddresses: () => readonly string[],
): AddressPolicy {
  const { allow, allowLoopback } = config.network;
  const ownEndpoints: OwnEndpoint[] = listening
    .filter(({ port }) => port !== 0)
    .map(({ host, port }) => ({ address: parseIp(host) ? host : '127.0.0.1', port }));
  return createAddressPolicy({
    allow,
    allowLoopback:
      allowLoopback === 'auto' ? isLoopback(config.control.listen.host) : allowLoopback,
    ownEndpoints,
    localAddresses,
  });
}

/** Whether only this machine can reach a listener at `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** The control port's limits in the engine's words. */
export function compileControlLimits(config: PortolanConfig): Partial<HttpServerLimits> {
  const { limits } = config.control;
  return {
    headBytes: limits.head,
    headTimeoutMs: limits.headTimeout,
    idleTimeoutMs: limits.idleTimeout,
    bodyWindowMs: limits.bodyTimeout,
    writeIdleTimeoutMs: limits.writeTimeout,
    maxConnections: limits.connections,
    // Agents and gateways of a whole cluster may come through one address.
    maxConnectionsPerIp: limits.connections,
    // A watcher that closed its side has gone: nothing is waiting for its answer.
    halfCloseTimeoutMs: 1_000,
  };
}

/** When the control port refuses requests. */
export function compileControlOverload(config: PortolanConfig): AdmissionOptions {
  const { requests, bytes, lag } = config.control.overload;
  return { requests, bytes, lagMs: lag };
}
