import { type Labels, type Registration, type Status, toLabels, worstStatus } from '@portolan/core';
import { decodeShape, type RegistrationShape } from '../codec/registration-codec.ts';

/** A shape that instances share, with what follows from it. */
export interface SharedShape extends RegistrationShape {
  /** As stored. */
  readonly text: string;
  readonly labels: Labels;
  /** Of an instance that nobody has asked or heard yet (rule 2). */
  readonly firstStatus: Status;
  holders: number;
}

/** The shapes in use. A million instances have a few thousand of them, so that each is read, and kept, once. */
export class ShapeBook {
  readonly #shapes = new Map<string, SharedShape>();

  get size(): number {
    return this.#shapes.size;
  }

  /** Held by the caller from now on; `likely` is a held one that it may well be. Throws `DamagedValue`. */
  hold(text: string, likely?: SharedShape): SharedShape {
    const present = likely?.text === text ? likely : this.#shapes.get(text);
    if (present) {
      present.holders++;
      return present;
    }
    const shape = toShared(text, decodeShape(text));
    this.#shapes.set(shape.text, shape);
    return shape;
  }

  release(shape: SharedShape): void {
    if (--shape.holders === 0) this.#shapes.delete(shape.text);
  }
}

/** The shape of a registration that is not in a catalogue. */
export function shapeOf(registration: Registration): SharedShape {
  const { tags, metadata, weight, lease, checks, initialStatus, owner } = registration;
  return toShared('', { tags, metadata, weight, lease, checks, initialStatus, owner });
}

function toShared(text: string, shape: RegistrationShape): SharedShape {
  const { tags, metadata, checks, initialStatus } = shape;
  return {
    ...shape,
    // Its own bytes: a part of a longer text would keep all of that.
    text: Buffer.from(text).toString(),
    labels: tags.length === 0 ? metadata : toLabels(tags, metadata),
    firstStatus:
      checks.length === 0
        ? initialStatus
        : worstStatus(checks.map(({ probe }) => firstCheckStatus(shape, probe.kind))),
    holders: 1,
  };
}

/** A ttl check starts at what the registrant claims; anything we can ask ourselves is asked first. */
export function firstCheckStatus(
  { initialStatus }: Pick<RegistrationShape, 'initialStatus'>,
  kind: string,
): Status {
  return kind === 'ttl' ? initialStatus : 'unknown';
}
