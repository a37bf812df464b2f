import type {
  CheckState,
  Instance,
  Registry,
  ServiceSummary,
  ServiceView,
  Status,
} from '@portolan/core';
import { toInstanceJson } from '../rest/codecs/instance-json.ts';
import type { WireStatus } from './wire.ts';

const STATUSES: Readonly<Record<Status, WireStatus>> = {
  passing: 'STATUS_PASSING',
  warning: 'STATUS_WARNING',
  critical: 'STATUS_CRITICAL',
  unknown: 'STATUS_UNKNOWN',
};

/** An instance as the wire has it. What is null there is absent here: the loader writes neither. */
export function toInstanceMessage(instance: Instance): object {
  const { registeredAt: _, ...json } = toInstanceJson(instance);
  return {
    ...json,
    status: STATUSES[instance.status],
    registeredAtMs: instance.registeredAtMs,
  };
}

export function toViewMessage(
  view: ServiceView,
  instances: readonly Instance[],
  more: boolean,
): object {
  const { namespace, group, name } = view.service;
  return {
    service: name,
    namespace,
    group,
    revision: view.revision,
    instances: instances.map(toInstanceMessage),
    more,
    kept: view.protection?.kept ?? 0,
    exclusive: view.exclusive,
  };
}

export function toSummaryMessage({ service, ...counts }: ServiceSummary): object {
  const { namespace, group, name } = service;
  return { service: name, namespace, group, ...counts };
}

/** One instance with the state of its checks and its lease. */
export function toDetailMessage(instance: Instance, registry: Registry): object {
  const ref = { namespace: instance.service.namespace, id: instance.id };
  const lease = registry.lease(ref);
  return {
    instance: toInstanceMessage(instance),
    checkStates: registry.checks(ref).map(toCheckStateMessage),
    ...(lease === undefined ? {} : { remainingTtlMs: Math.max(0, Math.round(lease.remainingMs)) }),
  };
}

function toCheckStateMessage({ kind: _, ...state }: CheckState): object {
  return { ...state, status: STATUSES[state.status] };
}

/** Well below what clients take by default (4 MiB), so that no instance makes a message too large. */
const PART_BYTES = 256 * 1_024;

/** The instances in parts of moderate size; one empty part where there are none. */
export function* inParts(instances: Iterable<Instance>): Generator<readonly Instance[]> {
  let part: Instance[] = [];
  let bytes = 0;
  for (const instance of instances) {
    const size = roughBytes(instance);
    if (part.length > 0 && bytes + size > PART_BYTES) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(instance);
    bytes += size;
  }
  yield part;
}

function roughBytes({ id, address, tags, metadata, labels, checks }: Instance): number {
  let bytes = 256 + id.length + address.length + checks.length * 256;
  for (const tag of tags) bytes += tag.length + 4;
  for (const set of [metadata, labels]) {
    for (const key in set) bytes += key.length + (set[key]?.length ?? 0) + 8;
  }
  return bytes;
}
