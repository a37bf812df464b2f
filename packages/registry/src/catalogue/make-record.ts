import { DEFAULT_INTENT, type Logger, type Revision } from '@portolan/core';
import { idOf } from '../codec/keys.ts';
import type { StoredStatus } from '../codec/status-codec.ts';
import { roleIn } from '../exclusive/apply-exclusive.ts';
import type { CatalogueState } from './catalogue-state.ts';
import { InstanceRecord, type RecordParts } from './instance-record.ts';
import type { ServiceState } from './service-state.ts';

/** What a registration says of an instance; an `InstanceRecord` says it too. */
export type RegisteredFacts = Pick<
  RecordParts,
  | 'key'
  | 'address'
  | 'port'
  | 'registeredAtMs'
  | 'condition'
  | 'shape'
  | 'createRevision'
  | 'registrationRevision'
>;

/** The record of an instance, with what the catalogue holds of its intent and its service. */
export function makeRecord(
  state: CatalogueState,
  service: ServiceState,
  facts: RegisteredFacts,
  stored: StoredStatus | undefined,
  statusRevision: Revision,
): InstanceRecord {
  const { key } = facts;
  const intent = state.intents.size === 0 ? undefined : state.intents.get(key);
  return new InstanceRecord({
    key,
    service: service.key,
    address: facts.address,
    port: facts.port,
    registeredAtMs: facts.registeredAtMs,
    condition: facts.condition,
    shape: facts.shape,
    createRevision: facts.createRevision,
    registrationRevision: facts.registrationRevision,
    stored,
    statusRevision,
    intent: intent?.intent ?? DEFAULT_INTENT,
    intentRevision: intent?.revision ?? 0,
    exclusive: service.exclusive && roleIn(service.exclusive, idOf(key)),
    exclusiveRevision: state.settings.size === 0 ? 0 : state.exclusiveRevision(service.id),
  });
}

/** Remembers a stored value that could not be read, and says so. */
export function reportDamage(
  state: CatalogueState,
  logger: Logger,
  { key, revision }: { readonly key: string; readonly revision: Revision },
  error: unknown,
): void {
  state.damaged.set(key, revision);
  logger.error(
    { err: error, key, revision },
    'a stored value is damaged and was left out: write it again, or restore a snapshot',
  );
}

/** The same for everybody: one that is heard wins over one that is only kept, else the higher revision. */
export function takesOver(after: InstanceRecord, other: InstanceRecord): boolean {
  if (after.protected !== other.protected) return other.protected;
  return other.registrationRevision <= after.registrationRevision;
}
