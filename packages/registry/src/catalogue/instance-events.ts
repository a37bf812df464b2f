import type { DeregisterReason, Instance, RegistryEvent, Revision } from '@portolan/core';
import type { InstanceRecord, RecordDelta } from './instance-record.ts';

export interface EventStamp {
  readonly revision: Revision;
  readonly atMs: number;
  /** Of the removal, when it is one. */
  readonly reason: DeregisterReason;
}

/** An event whose instance is made when it is read: thousands are kept, and few are ever asked for. */
class InstanceEvent<T extends string> {
  readonly revision: Revision;
  readonly atMs: number;
  readonly type: T;
  readonly #record: InstanceRecord;

  constructor({ revision, atMs }: EventStamp, type: T, record: InstanceRecord) {
    this.revision = revision;
    this.atMs = atMs;
    this.type = type;
    this.#record = record;
  }

  get instance(): Instance {
    return this.#record.instance;
  }
}

class DeregisteredEvent extends InstanceEvent<'instance-deregistered'> {
  readonly reason: DeregisterReason;

  constructor(stamp: EventStamp, record: InstanceRecord, reason: DeregisterReason) {
    super(stamp, 'instance-deregistered', record);
    this.reason = reason;
  }
}

class StatusEvent extends InstanceEvent<'instance-status'> {
  readonly previous: string;

  constructor(stamp: EventStamp, record: InstanceRecord, previous: string) {
    super(stamp, 'instance-status', record);
    this.previous = previous;
  }
}

/** Appends what one change of one instance means to a reader of events. */
export function instanceEvents(
  events: RegistryEvent[],
  { before, after }: RecordDelta,
  stamp: EventStamp,
): void {
  if (!after) {
    if (before) events.push(new DeregisteredEvent(stamp, before, stamp.reason));
    return;
  }
  if (before && before.service !== after.service) {
    events.push(new DeregisteredEvent(stamp, before, 'moved'));
  }
  if (!before || before.service !== after.service) {
    events.push(new InstanceEvent(stamp, 'instance-registered', after));
    return;
  }
  if (before.registrationRevision !== after.registrationRevision) {
    events.push(new InstanceEvent(stamp, 'instance-updated', after));
  }
  if (before.status !== after.status || before.protected !== after.protected) {
    events.push(new StatusEvent(stamp, after, before.status));
  }
  if (before.intent !== after.intent) {
    events.push(new InstanceEvent(stamp, 'instance-intent', after));
  }
}
