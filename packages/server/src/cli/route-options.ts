import type { DestinationDocument } from '@portolan/client';
import { InvalidArgumentError } from 'commander';
import { CliError } from './cli-error.ts';

/** For options that may be given several times: `service[:label=value,…][=weight]`. */
export function collectDestination(
  value: string,
  previous: readonly DestinationDocument[] = [],
): readonly DestinationDocument[] {
  return [...previous, parseDestination(value)];
}

/** `reviews`, `reviews=20`, `reviews:version=v2=20`, `reviews:version=v2,region=us=20`. */
export function parseDestination(value: string): DestinationDocument {
  const match = /^([^:=]+)(?::([^=]+=.*?))?(?:=(\d{1,7}))?$/s.exec(value);
  if (!match?.[1]) {
    throw new InvalidArgumentError('Expected service[:label=value,…][=weight].');
  }
  const labels = (match[2] ?? '').split(',').filter((pair) => pair !== '');
  const entries = labels.map((pair): [string, string] => {
    const at = pair.indexOf('=');
    if (at <= 0) throw new InvalidArgumentError(`"${pair}" is not label=value.`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  return {
    service: match[1],
    ...(entries.length > 0 ? { labels: Object.fromEntries(entries) } : {}),
    ...(match[3] === undefined ? {} : { weight: Number(match[3]) }),
  };
}

/** `80 20` in order, or `v1=80 v2=20` by version. */
export function parseWeights(values: readonly string[]): number[] | Record<string, number> {
  if (values.every((value) => /^\d{1,7}$/.test(value))) return values.map(Number);
  const weights: Record<string, number> = {};
  for (const value of values) {
    const match = /^(.+)=(\d{1,7})$/.exec(value);
    if (!match?.[1]) {
      throw new CliError(`"${value}" is no weight.`, {
        exit: 'usage',
        hints: ['Give one for each destination in order (80 20), or by version (v1=80 v2=20).'],
      });
    }
    weights[match[1]] = Number(match[2]);
  }
  return weights;
}
