import { backoffDelayMs, wait } from '@portolan/client';
import type { Clock, Random } from '@portolan/core';
import { findLocalAddress, isLoopbackUrl } from './local-address.ts';

/** The address that the application is registered under: given, or found by reaching the registry. */
export interface AddressSource {
  /** Undefined while it is not known. */
  readonly address: string | undefined;
  /** Resolves when it is known; undefined when `signal` aborted before. */
  readonly found: Promise<string | undefined>;
}

export interface AddressSourceOptions {
  readonly given: string | undefined;
  /** Control ports of the registry. */
  readonly urls: readonly string[];
  readonly signal: AbortSignal;
}

export interface AddressSourceDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: (line: string) => void;
}

const LOOPBACK = '127.0.0.1';
const CONNECT_TIMEOUT_MS = 2_000;
const RETRY = { baseMs: 250, capMs: 5_000 };

/** Looks for the address until it is known or `signal` aborts; a registry that is away is asked again and again. */
export function createAddressSource(
  options: AddressSourceOptions,
  deps: AddressSourceDeps,
): AddressSource {
  const { given, urls, signal } = options;
  const { clock, random, log } = deps;
  let address = given;

  async function find(): Promise<string | undefined> {
    if (given !== undefined) return given;
    for (let failures = 0; !signal.aborted; failures++) {
      for (const url of urls) {
        const found = isLoopbackUrl(url)
          ? LOOPBACK
          : await findLocalAddress(url, CONNECT_TIMEOUT_MS, clock);
        if (found === undefined) continue;
        address = found;
        log(`address ${found}, by which the registry at ${url} is reached`);
        return found;
      }
      if (failures === 0) {
        log(
          'no registry answers, so the address to register is not known yet; the application runs all the same (--address names it)',
        );
      }
      await wait(backoffDelayMs(failures, RETRY, random), clock, signal);
    }
    return undefined;
  }

  const found = find();
  return {
    get address() {
      return address;
    },
    found,
  };
}
