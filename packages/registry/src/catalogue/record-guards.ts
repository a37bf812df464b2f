import type { Guard } from '@portolan/core';
import { statusKey } from '../codec/keys.ts';
import type { Catalogue } from './catalogue.ts';
import type { InstanceRecord } from './instance-record.ts';

/** Fails a write when registration or health of the instance are not as they were when it was decided. */
export function recordGuards(record: InstanceRecord, catalogue: Catalogue): readonly Guard[] {
  return [
    { key: record.key, modifyRevision: record.registrationRevision },
    statusGuard(record, catalogue),
  ];
}

/** A damaged status counts as it stands in the store. */
export function statusGuard({ key, statusRevision }: InstanceRecord, catalogue: Catalogue): Guard {
  const status = statusKey(key);
  return { key: status, modifyRevision: catalogue.damaged.get(status) ?? statusRevision };
}
