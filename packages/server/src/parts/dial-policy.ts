import { networkInterfaces } from 'node:os';
import { compileAddressPolicy } from '../config/compile-config.ts';
import type { PortolanConfig } from '../config/schema.ts';
import type { ServerContext } from './server-context.ts';

/** Judges from now on by the present configuration and by where we really listen; before that, by where we mean to. */
export function refreshDialPolicy(context: ServerContext): void {
  const { config, listeners, addressPolicy } = context;
  addressPolicy.swap(
    compileAddressPolicy(
      config,
      [
        listeners.control ?? config.control.listen,
        ...(config.role === 'registry' ? [] : [listeners.gateway ?? config.gateway.listen]),
        ...(listeners.more ?? []),
        ...(listeners.dialects ?? []),
      ],
      localAddresses,
    ),
  );
}

/** The policy before any listener is up. */
export function firstDialPolicy(config: PortolanConfig) {
  return compileAddressPolicy(
    config,
    [config.control.listen, config.gateway.listen],
    localAddresses,
  );
}

function localAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).map(({ address }) => address),
  );
}
