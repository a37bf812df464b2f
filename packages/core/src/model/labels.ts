import type { Labels } from './instance.ts';

/** Consul's limits. */
export const LABEL_LIMITS = { keys: 64, keyBytes: 128, valueBytes: 512 } as const;

/** Splits `key:value` or `key=value` at the first separator; undefined when it is neither. */
export function parseTag(tag: string): { key: string; value: string } | undefined {
  const colon = tag.indexOf(':');
  const equals = tag.indexOf('=');
  const at = colon < 0 ? equals : equals < 0 ? colon : Math.min(colon, equals);
  if (at <= 0) return undefined;
  return { key: tag.slice(0, at), value: tag.slice(at + 1) };
}

/** One label set from tags and metadata; metadata wins, an earlier tag wins over a later one. */
export function toLabels(tags: readonly string[], metadata: Labels): Labels {
  const labels: Record<string, string> = Object.create(null);
  for (const tag of tags) {
    const pair = parseTag(tag);
    if (pair && !(pair.key in labels)) labels[pair.key] = pair.value;
  }
  for (const key of Object.keys(metadata)) labels[key] = metadata[key] as string;
  return labels;
}

/** Whether `labels` carries every label of `wanted`. */
export function matchesLabels(labels: Labels, wanted: Labels): boolean {
  for (const key in wanted) if (labels[key] !== wanted[key]) return false;
  return true;
}
