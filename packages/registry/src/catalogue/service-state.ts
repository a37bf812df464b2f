import type { ExclusiveTerm, Instance, Revision, ServiceKey, ServiceView } from '@portolan/core';
import type { InstanceRecord } from './instance-record.ts';
import { PlaceIndex, type PlaceTable } from './place-index.ts';

/** Up to this many changes are spliced into a copy; more are merged in one pass. */
const SPLICE_LIMIT = 16;

/** What became of one instance: its new record, or undefined when it left. */
interface PendingChange {
  readonly key: string;
  readonly record: InstanceRecord | undefined;
  readonly earlier: PendingChange | undefined;
}

/** One service as the catalogue keeps it: its view, counts and who holds which address. */
export class ServiceState {
  readonly id: string;
  readonly key: ServiceKey;
  view: RecordView;
  routable = 0;
  protected = 0;
  /** Passing or warning by their own merit, whatever the operator wants of them. */
  healthy = 0;
  /** Registered by a host name. */
  named = 0;
  /** Epoch milliseconds since when mass-loss protection is on. */
  protectedSinceMs: number | undefined = undefined;
  /** Present while the service is exclusive. */
  exclusive: ExclusiveTerm | undefined = undefined;
  /** Who holds which address and port, by the instance's `namespace/id`. */
  readonly places: PlaceIndex;
  /** The newest change that `rebuild` has not taken yet. Nearly always it is the only one. */
  #newest: PendingChange | undefined = undefined;

  constructor(id: string, key: ServiceKey, places: PlaceTable) {
    this.id = id;
    this.key = key;
    this.places = new PlaceIndex(places, id);
    this.view = new RecordView(key, 0, [], false);
  }

  /** Its first records, in any order; the list is taken over. */
  load(records: InstanceRecord[], revision: Revision): void {
    for (const record of records) this.#count(record, 1);
    this.#show(records.sort(byKey), revision);
  }

  change(before: InstanceRecord | undefined, after: InstanceRecord | undefined): void {
    if (before) this.#count(before, -1);
    if (after) this.#count(after, 1);
    const key = (after ?? before)?.key;
    if (key !== undefined) this.#newest = { key, record: after, earlier: this.#newest };
  }

  /** Keys of all its instances, those of changes that `rebuild` has not taken yet included. */
  *members(): Generator<string> {
    const pending = new Map(inOrder(this.#newest).map(({ key, record }) => [key, record]));
    for (const { key } of this.view.records) if (!pending.has(key)) yield key;
    for (const [key, record] of pending) if (record) yield key;
  }

  /** Makes the next view: O(instances) copying, and a sort of the changes only. */
  rebuild(revision: Revision): void {
    const records = mergeChanges(this.view.records, this.#newest);
    this.#newest = undefined;
    this.#show(records, revision);
  }

  #show(records: readonly InstanceRecord[], revision: Revision): void {
    const { exclusive, protectedSinceMs: sinceMs } = this;
    this.view = new RecordView(this.key, revision, records, this.named > 0, {
      ...(exclusive === undefined ? undefined : { exclusive }),
      ...(sinceMs === undefined ? undefined : { protection: { sinceMs, kept: this.protected } }),
    });
  }

  #count(record: InstanceRecord, by: 1 | -1): void {
    if (record.routable) this.routable += by;
    if (record.protected) this.protected += by;
    if (record.isHealthy) this.healthy += by;
    if (record.isNamed) this.named += by;
  }
}

/** A view whose instances are made when they are asked for, and kept while anybody holds them. */
export class RecordView implements ServiceView {
  readonly service: ServiceKey;
  readonly revision: Revision;
  readonly records: readonly InstanceRecord[];
  readonly named: boolean;
  declare readonly protection?: NonNullable<ServiceView['protection']>;
  declare readonly exclusive?: ExclusiveTerm;
  #made: WeakRef<readonly Instance[]> | undefined = undefined;

  constructor(
    service: ServiceKey,
    revision: Revision,
    records: readonly InstanceRecord[],
    named: boolean,
    { protection, exclusive }: Pick<ServiceView, 'protection' | 'exclusive'> = {},
  ) {
    this.service = service;
    this.revision = revision;
    this.records = records;
    this.named = named;
    if (protection !== undefined) this.protection = protection;
    if (exclusive !== undefined) this.exclusive = exclusive;
  }

  get count(): number {
    return this.records.length;
  }

  get instances(): readonly Instance[] {
    const made = this.#made?.deref();
    if (made) return made;
    const instances = this.records.map((record) => record.hold());
    this.#made = new WeakRef(instances);
    return instances;
  }
}

function byKey(a: InstanceRecord, b: InstanceRecord): number {
  return a.key < b.key ? -1 : 1;
}

/** The sorted list with the changes applied, of those of one key the last; the given list stays as it is. */
function mergeChanges(
  present: readonly InstanceRecord[],
  newest: PendingChange | undefined,
): readonly InstanceRecord[] {
  if (!newest) return present;
  if (!newest.earlier) return changeOne(present, newest.key, newest.record);
  const changes = inOrder(newest);
  if (changes.length <= SPLICE_LIMIT && present.length > SPLICE_LIMIT) {
    const copy = present.slice();
    for (const { key, record } of changes) spliceOne(copy, key, record);
    return copy;
  }
  // A stable sort: the last of one key stays the last.
  const sorted = changes.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const merged: InstanceRecord[] = [];
  let at = 0;
  for (let index = 0; index < sorted.length; index++) {
    const { key, record } = sorted[index] as PendingChange;
    if (sorted[index + 1]?.key === key) continue;
    for (let next = present[at]; next && next.key < key; next = present[++at]) merged.push(next);
    if (present[at]?.key === key) at++;
    if (record) merged.push(record);
  }
  for (let next = present[at]; next; next = present[++at]) merged.push(next);
  return merged;
}

function inOrder(newest: PendingChange | undefined): PendingChange[] {
  const changes: PendingChange[] = [];
  for (let change = newest; change; change = change.earlier) changes.push(change);
  return changes.reverse();
}

/** As `spliceOne` on a copy, which is made at its size. */
function changeOne(
  present: readonly InstanceRecord[],
  key: string,
  record: InstanceRecord | undefined,
): readonly InstanceRecord[] {
  const at = firstFrom(present, key);
  const found = present[at]?.key === key;
  if (!record && !found) return present;
  if (!record) return present.toSpliced(at, 1);
  return found ? present.with(at, record) : present.toSpliced(at, 0, record);
}

/** Where the first record is whose key is not before `key`. */
function firstFrom(list: readonly InstanceRecord[], key: string): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle]?.key ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function spliceOne(list: InstanceRecord[], key: string, record: InstanceRecord | undefined): void {
  const low = firstFrom(list, key);
  const found = list[low]?.key === key;
  if (record && found) list[low] = record;
  else if (record) list.splice(low, 0, record);
  else if (found) list.splice(low, 1);
}
