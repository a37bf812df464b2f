import { AGENT_LIMITS, type Clock, FRAME } from '@portolan/core';
import { isPortolanError, PortolanError } from '../http/portolan-error.ts';
import { type AgentLink, broken, type LinkAnswer, toError } from './agent-link.ts';

/** One thing that is to be asked about one slot. */
interface Wanted<T> {
  readonly slot: number;
  readonly item: T;
  readonly bytes: number;
  resolve(answer: Record<string, unknown>): void;
  reject(error: PortolanError): void;
}

type Answer = Record<string, unknown>;

/** Room for the names around the items, and for commas. */
const ENVELOPE_BYTES = 1_024;
const SLOT_BYTES = 8;

/**
 * What is to be asked over a link, gathered for one turn of the event loop: of each kind as many as fit go in one frame, and
 * no more frames wait for the server's disk than its window allows.
 */
export interface AskQueue {
  register(slot: number, body: object): Promise<Answer>;
  report(slot: number, body: object): Promise<Answer>;
  deregister(slot: number): Promise<Answer>;
  /** Rejects with INSTANCE_NOT_FOUND where the registry wants a registration. */
  renew(slot: number): Promise<Answer>;
  attach(slot: number, namespace: string, id: string): Promise<Answer>;
  /** Rejects what was not asked yet. */
  abandon(error: PortolanError): void;
}

export function createAskQueue(link: AgentLink, clock: Clock): AskQueue {
  const registers: Wanted<object>[] = [];
  const reports: Wanted<object>[] = [];
  const deregisters: Wanted<undefined>[] = [];
  const renews: Wanted<undefined>[] = [];
  const attaches = new Map<string, Wanted<string>[]>();

  let scheduled = false;

  function flushSoon(): void {
    if (scheduled) return;
    scheduled = true;
    link.expect();
    clock.setTimer(0, () => {
      scheduled = false;
      flush();
    });
  }

  function want<T>(list: Wanted<T>[], slot: number, item: T): Promise<Answer> {
    if (!link.open) return Promise.reject(broken(`The connection to ${link.url} ended`));
    const bytes =
      typeof item === 'object' ? new TextEncoder().encode(JSON.stringify(item)).length : 0;
    if (bytes + ENVELOPE_BYTES > link.frameBytes) {
      const detail = `The body has ${bytes} bytes; a frame takes ${link.frameBytes}.`;
      return Promise.reject(new PortolanError('BODY_TOO_LARGE', detail, { status: 413 }));
    }
    return new Promise((resolve, reject) => {
      list.push({ slot, item, bytes, resolve, reject });
      flushSoon();
    });
  }

  /** Takes the first of them that fit in a frame. */
  function takeFitting<T>(list: Wanted<T>[], max: number): Wanted<T>[] {
    let bytes = ENVELOPE_BYTES;
    let count = 0;
    for (const { bytes: own } of list) {
      bytes += own + SLOT_BYTES;
      if (count === max || (count > 0 && bytes > link.frameBytes)) break;
      count += 1;
    }
    return list.splice(0, count);
  }

  function askItems<T>(
    list: Wanted<T>[],
    max: number,
    ask: (taken: readonly Wanted<T>[]) => Promise<{ readonly results?: unknown }>,
  ): void {
    while (list.length > 0 && link.open && link.waiting < link.window) {
      const taken = takeFitting(list, max);
      ask(taken)
        .then(
          ({ results }) => {
            for (const [at, one] of taken.entries()) {
              settle(one, Array.isArray(results) ? results[at] : undefined);
            }
          },
          (error: unknown) => {
            for (const one of taken) one.reject(asError(error));
          },
        )
        // An answer makes room in the window.
        .finally(flush);
    }
  }

  function settle<T>(one: Wanted<T>, result: unknown): void {
    const answer = result as { ok?: unknown; error?: unknown } | undefined;
    if (answer?.ok === true) one.resolve(answer as Answer);
    else if (answer?.ok === false) one.reject(toError(answer.error, link.url));
    else one.reject(broken(`${link.url} broke the agent protocol`));
  }

  function renewAll(taken: readonly Wanted<unknown>[], answer: Promise<LinkAnswer>): void {
    answer.then(
      ({ numbers = [], roles }) => {
        const gone = new Set(numbers.slice(1));
        const bySlot = new Map<unknown, Answer>();
        if (Array.isArray(roles)) for (const role of roles) bySlot.set(role?.slot, role as Answer);
        for (const one of taken) {
          if (gone.has(one.slot)) one.reject(unknownInstance());
          else one.resolve(bySlot.get(one.slot) ?? {});
        }
      },
      (error: unknown) => {
        for (const one of taken) one.reject(asError(error));
      },
    );
  }

  function flush(): void {
    if (!link.open) return;
    while (renews.length > 0) {
      const taken = renews.splice(0, AGENT_LIMITS.slots / 4);
      renewAll(
        taken,
        link.ask(
          FRAME.RENEW,
          taken.map(({ slot }) => slot),
          false,
        ),
      );
    }
    for (const [namespace, list] of attaches) {
      while (list.length > 0) {
        const taken = takeFitting(list, 1_000);
        const slots = taken.map(({ slot }) => slot);
        const ids = taken.map(({ item }) => item);
        renewAll(taken, link.ask(FRAME.ATTACH, { namespace, slots, ids }, false));
      }
      attaches.delete(namespace);
    }
    askItems(deregisters, AGENT_LIMITS.registrations, (taken) =>
      link.ask(
        FRAME.DEREGISTER,
        taken.map(({ slot }) => slot),
        true,
      ),
    );
    askItems(reports, AGENT_LIMITS.reports, (taken) =>
      link.ask(FRAME.REPORT, { slots: slotsOf(taken), reports: itemsOf(taken) }, true),
    );
    askItems(registers, AGENT_LIMITS.registrations, (taken) =>
      link.ask(FRAME.REGISTER, { slots: slotsOf(taken), instances: itemsOf(taken) }, true),
    );
  }

  return {
    register: (slot, body) => want(registers, slot, body),
    report: (slot, body) => want(reports, slot, body),
    deregister: (slot) => want(deregisters, slot, undefined),
    renew: (slot) => want(renews, slot, undefined),
    attach(slot, namespace, id) {
      const list = attaches.get(namespace) ?? [];
      attaches.set(namespace, list);
      return want(list, slot, id);
    },
    abandon(error) {
      const lists = [registers, reports, deregisters, renews, ...attaches.values()];
      for (const list of lists) for (const one of list.splice(0)) one.reject(error);
      attaches.clear();
    },
  };
}

function slotsOf(taken: readonly Wanted<unknown>[]): number[] {
  return taken.map(({ slot }) => slot);
}

function itemsOf<T>(taken: readonly Wanted<T>[]): T[] {
  return taken.map(({ item }) => item);
}

function unknownInstance(): PortolanError {
  return new PortolanError('INSTANCE_NOT_FOUND', 'The registry does not know the instance.', {
    status: 404,
  });
}

function asError(error: unknown): PortolanError {
  return isPortolanError(error) ? error : broken(String(error), error);
}
