import { DURATION_EXPECTED, parseDuration } from '@portolan/core';
import { InvalidArgumentError } from 'commander';

/** For options that may be given several times: collects `key=value`. */
export function collectPair(
  value: string,
  previous: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = value.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('Expected key=value.');
  return { ...previous, [value.slice(0, at)]: value.slice(at + 1) };
}

/** For options that may be given several times. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

export function parsePort(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (port < 1 || port > 65_535) throw new InvalidArgumentError('Expected a port from 1 to 65535.');
  return port;
}

export function parseWeight(value: string): number {
  const weight = /^\d{1,7}$/.test(value) ? Number(value) : -1;
  if (weight < 0 || weight > 1_000_000) {
    throw new InvalidArgumentError('Expected a whole number from 0 to 1000000.');
  }
  return weight;
}

/** Milliseconds. */
export function parseDurationOption(value: string): number {
  const durationMs = parseDuration(value);
  if (durationMs === undefined) throw new InvalidArgumentError(`Expected ${DURATION_EXPECTED}.`);
  return durationMs;
}
