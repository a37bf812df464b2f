import type { ConfigNode } from './config-node.ts';
import { describeConfig } from './describe-config.ts';

/** What a reload can do about the settings that changed. */
export interface ConfigDiff {
  /** In force at once. */
  readonly live: readonly string[];
  /** In force after the next start. */
  readonly needRestart: readonly string[];
}

/** Settings that are read once, when a listener is bound or a store is opened. */
const READ_AT_START = [
  'role',
  'control.listen',
  'control.limits',
  'control.overload',
  'gateway',
  'store',
  'dialects',
  'docker',
  'registry.events',
  'registry.checks.maxConcurrent',
  'registry.checks.jitterShare',
  'log.format',
  'metrics',
];
const BUT_LIVE = [
  'gateway.defaultBalancer',
  'gateway.drain',
  'gateway.retries.attempts',
  'gateway.routeByName',
  'gateway.timeouts.request',
  'gateway.trustedProxies',
];

/** Paths whose value differs, sorted by whether they can change while running. */
export function diffConfig(before: ConfigNode, after: ConfigNode): ConfigDiff {
  const old = toValues(before);
  const young = toValues(after);
  const changed = [...new Set([...old.keys(), ...young.keys()])].filter(
    (path) => old.get(path) !== young.get(path),
  );
  const needsRestart = (path: string): boolean =>
    !BUT_LIVE.includes(path) &&
    READ_AT_START.some((prefix) => path === prefix || path.startsWith(`${prefix}.`));
  return {
    live: changed.filter((path) => !needsRestart(path)),
    needRestart: changed.filter(needsRestart),
  };
}

function toValues(node: ConfigNode): Map<string, string> {
  const lines = describeConfig(node, { mask: false });
  return new Map(lines.map(({ path, value }) => [path, JSON.stringify(value)]));
}
