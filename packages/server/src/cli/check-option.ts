import type { CheckBody } from '@portolan/client';
import { InvalidArgumentError } from 'commander';
import { toAuthority } from './output/instance-columns.ts';

/** A check as the command line says it. A script runs here, never in the registry. */
export type CheckOption =
  | { readonly kind: 'http'; readonly target: string }
  | { readonly kind: 'tcp'; readonly target: string }
  | { readonly kind: 'grpc'; readonly target: string }
  | { readonly kind: 'ttl'; readonly target: string }
  | { readonly kind: 'script'; readonly target: string };

export const CHECK_EXPECTED =
  'http=/path, http=http://host:port/path, tcp, grpc, grpc=service, ttl=30s or script:command';

/** `http=/health`, `tcp`, `tcp=host:port`, `grpc`, `grpc=service`, `ttl=30s`, `script:command`. */
export function parseCheckOption(value: string): CheckOption {
  const match = /^(http|tcp|grpc|ttl|script)(?:[=:](.*))?$/s.exec(value);
  const kind = match?.[1] as CheckOption['kind'] | undefined;
  const target = match?.[2] ?? '';
  if (!kind || (target === '' && (kind === 'ttl' || kind === 'script'))) {
    throw new InvalidArgumentError(`Expected ${CHECK_EXPECTED}.`);
  }
  if (kind === 'http' && target !== '' && !/^(\/|https?:\/\/)/.test(target)) {
    throw new InvalidArgumentError('An http check is a path (/health) or a URL.');
  }
  return { kind, target };
}

export interface CheckTimes {
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
}

/** The check for the registry's wire; undefined for a script, whose outcome travels with heartbeats. */
export function toCheckBody(
  check: CheckOption,
  address: string,
  port: number,
  { intervalMs, timeoutMs }: CheckTimes,
): CheckBody | undefined {
  const times = {
    ...(intervalMs === undefined ? {} : { interval: `${intervalMs}ms` }),
    ...(timeoutMs === undefined ? {} : { timeout: `${timeoutMs}ms` }),
  };
  const authority = toAuthority(address, port);
  const { kind, target } = check;
  switch (kind) {
    case 'http':
      return {
        http: target.startsWith('http') ? target : `http://${authority}${target || '/'}`,
        ...times,
      };
    case 'tcp':
      return { tcp: target || authority, ...times };
    case 'grpc':
      return {
        grpc: target.includes(':') ? target : `${authority}${target && `/${target}`}`,
        ...times,
      };
    case 'ttl':
      return { ttl: target };
    case 'script':
      return undefined;
  }
}

/** For options that may be given several times. */
export function collectCheck(
  value: string,
  previous: readonly CheckOption[] = [],
): readonly CheckOption[] {
  return [...previous, parseCheckOption(value)];
}
