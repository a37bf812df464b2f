import type { DeregisterReason, RegistryEvent, Revision } from '@portolan/core';
import type { RecordDelta } from './instance-record.ts';

export interface EventStamp {
  readonly revision: Revision;
  readonly atMs: number;
  /** Of the removal, when it is one. */
  readonly reason: DeregisterReason;
}

/** Appends what one change of one instance means to a reader of events. */
export function instanceEvents(
  events: RegistryEvent[],
  { before, after }: RecordDelta,
  { revision, atMs, reason }: EventStamp,
): void {
  const base = { revision, atMs };
  if (!after) {
    if (!before) return;
    events.push({ ...base, type: 'instance-deregistered', instance: before.instance, reason });
    return;
  }
  const { instance } = after;
  if (before && before.service !== after.service) {
    const left = before.instance;
    events.push({ ...base, type: 'instance-deregistered', instance: left, reason: 'moved' });
  }
  if (!before || before.service !== after.service) {
    events.push({ ...base, type: 'instance-registered', instance });
    return;
  }
  if (before.registrationRevision !== after.registrationRevision) {
    events.push({ ...base, type: 'instance-updated', instance });
  }
  const previous = before.status;
  if (previous !== after.status || before.protected !== after.protected) {
    events.push({ ...base, type: 'instance-status', instance, previous });
  }
  if (before.intent !== after.intent) {
    events.push({ ...base, type: 'instance-intent', instance });
  }
}
