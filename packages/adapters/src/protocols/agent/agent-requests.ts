import {
  AGENT_LIMITS,
  DEFAULT_NAMESPACE,
  decodeNumbers,
  encodeFrame,
  encodeJsonFrame,
  encodeNumbers,
  FRAME,
  type Frame,
  type InstanceRef,
  isRegistryError,
  joinFrames,
  type RegistrationInput,
  type Registry,
  RegistryError,
} from '@portolan/core';
import { parseJsonBody } from '../body/json-body.ts';
import { requireValid, validate, validationError } from '../rest/body/body-codec.ts';
import { toRoleJson } from '../rest/codecs/exclusive-json.ts';
import { toRegisterJson } from '../rest/codecs/instance-json.ts';
import { toProblemDocument } from '../rest/problem-reply.ts';
import { heartbeatCodec, toHeartbeat } from '../rest/schemas/heartbeat-schema.ts';
import { parseRegistration } from '../rest/schemas/registration-schema.ts';
import { attachCodec, registerCodec, reportCodec } from './agent-schemas.ts';

/** Registrations from the network never run scripts. */
const UNTRUSTED = { trusted: false } as const;

/** The instances that a connection speaks for, by slot. */
export interface AgentSlots {
  readonly refs: Map<number, InstanceRef>;
  readonly registry: Registry;
  /** Under which our log speaks of the connection. */
  readonly requestId: string;
}

type Result = object;

/** Binds slots by registering; the result of an item is what `POST /register` answers. */
export function register(slots: AgentSlots, frame: Frame): Promise<Uint8Array> {
  return registerAll(slots, frame.request, requireValid(registerCodec, readJson(frame)));
}

async function registerAll(
  slots: AgentSlots,
  request: number,
  body: {
    readonly slots: readonly number[];
    readonly instances: readonly unknown[];
    readonly brief?: boolean | undefined;
  },
): Promise<Uint8Array> {
  const results: Result[] = new Array(body.instances.length);
  const inputs: RegistrationInput[] = [];
  const places: number[] = [];
  for (const [at, item] of body.instances.entries()) {
    try {
      inputs.push(parseRegistration(item));
      places.push(at);
    } catch (error) {
      if (!isRegistryError(error)) throw error;
      results[at] = failed(slots, error);
    }
  }
  const outcomes = inputs.length === 0 ? [] : await slots.registry.registerBatch(inputs, UNTRUSTED);
  for (const [index, outcome] of outcomes.entries()) {
    const at = places[index] ?? index;
    if (!outcome.ok) {
      results[at] = failed(slots, outcome.error);
      continue;
    }
    const { instance } = outcome.value;
    slots.refs.set(body.slots[at] ?? 0, {
      namespace: instance.service.namespace,
      id: instance.id,
    });
    results[at] = body.brief
      ? {
          ok: true,
          id: instance.id,
          created: outcome.value.created,
          changed: outcome.value.changed,
          revision: instance.modifyRevision,
          heartbeatMs: instance.lease?.heartbeatMs ?? null,
        }
      : { ok: true, ...toRegisterJson(outcome.value) };
  }
  return encodeJsonFrame(FRAME.RESULTS, request, { results });
}

/** Binds slots to instances that are registered already, and renews them. */
export function attach(slots: AgentSlots, frame: Frame): Promise<Uint8Array> {
  const body = requireValid(attachCodec, readJson(frame));
  const namespace = body.namespace ?? DEFAULT_NAMESPACE;
  const refs = body.ids.map((id) => ({ namespace, id }));
  return renewRefs(slots, frame.request, refs, body.slots);
}

/** Renews the named slots, or all; answers which have to register again. */
export function renew(slots: AgentSlots, frame: Frame): Promise<Uint8Array> {
  const numbers = readSlots(frame);
  const refs: InstanceRef[] = [];
  const places: number[] = [];
  const unbound: number[] = [];
  for (const slot of numbers.length > 0 ? numbers : slots.refs.keys()) {
    const ref = slots.refs.get(slot);
    if (ref) {
      refs.push(ref);
      places.push(slot);
    } else unbound.push(slot);
  }
  return renewRefs(slots, frame.request, refs, places, unbound);
}

/** `places` are the slots of `refs`, in the same order: bound where the registry knows the instance, and free where not. */
async function renewRefs(
  slots: AgentSlots,
  request: number,
  refs: readonly InstanceRef[],
  places: readonly number[],
  unbound: readonly number[] = [],
): Promise<Uint8Array> {
  const before = places.map((slot) => slots.refs.get(slot));
  const { registry } = slots;
  const unknown = new Set(await registry.renewBatch(refs));
  const gone = [...unbound];
  const roles: object[] = [];
  // Nearly always there is none, and nobody is looked up.
  const mayBeExclusive = registry.settingsDocuments.list().some(({ exclusive }) => exclusive);
  for (const [at, ref] of refs.entries()) {
    const slot = places[at] ?? 0;
    const lost = unknown.has(ref);
    if (lost) gone.push(slot);
    else if (mayBeExclusive) {
      const exclusive = toRoleJson(registry.instance(ref)?.exclusive);
      if (exclusive)
        roles.push({ slot, ttlMs: registry.lease(ref)?.spec.ttlMs ?? null, exclusive });
    }
    // Registered anew meanwhile, it stays.
    if (slots.refs.get(slot) !== before[at]) continue;
    if (lost) slots.refs.delete(slot);
    else if (before[at] !== ref) slots.refs.set(slot, ref);
  }
  gone.sort((a, b) => a - b);
  const renewed = refs.length - unknown.size;
  const answer = encodeFrame(FRAME.RENEWED, request, encodeNumbers([renewed, ...gone]));
  if (roles.length === 0) return answer;
  return joinFrames([encodeJsonFrame(FRAME.ROLES, request, { roles }), answer]);
}

/** What heartbeats of the HTTP API carry: metadata, status, output. */
export function report(slots: AgentSlots, frame: Frame): Promise<Uint8Array> {
  return reportAll(slots, frame.request, requireValid(reportCodec, readJson(frame)));
}

async function reportAll(
  slots: AgentSlots,
  request: number,
  body: { readonly slots: readonly number[]; readonly reports: readonly unknown[] },
): Promise<Uint8Array> {
  const results = await Promise.all(
    body.reports.map(async (item, at): Promise<Result> => {
      const slot = body.slots[at] ?? 0;
      const checked = validate(heartbeatCodec, item);
      if (!checked.ok) return failed(slots, validationError(checked.problems));
      const ref = slots.refs.get(slot);
      if (!ref) return failed(slots, unbound(slot));
      try {
        const { instance, ttlMs } = await slots.registry.heartbeat(ref, toHeartbeat(checked.value));
        return {
          ok: true,
          id: instance.id,
          ttlMs: ttlMs === undefined ? null : Math.round(ttlMs),
          status: instance.status,
          exclusive: toRoleJson(instance.exclusive),
        };
      } catch (error) {
        if (!isRegistryError(error)) throw error;
        if (error.code === 'INSTANCE_NOT_FOUND') slots.refs.delete(slot);
        return failed(slots, error);
      }
    }),
  );
  return encodeJsonFrame(FRAME.RESULTS, request, { results });
}

/** Deregisters and frees the slots. */
export function deregister(slots: AgentSlots, frame: Frame): Promise<Uint8Array> {
  const numbers = readSlots(frame);
  if (numbers.length === 0 || numbers.length > AGENT_LIMITS.registrations) {
    throw invalid(`A DEREGISTER names from 1 to ${AGENT_LIMITS.registrations} slots.`);
  }
  if (new Set(numbers).size !== numbers.length) throw invalid('A slot is named twice.');
  return deregisterAll(slots, frame.request, numbers);
}

async function deregisterAll(
  slots: AgentSlots,
  request: number,
  numbers: readonly number[],
): Promise<Uint8Array> {
  const results = await Promise.all(
    numbers.map(async (slot): Promise<Result> => {
      const ref = slots.refs.get(slot);
      if (!ref) return failed(slots, unbound(slot));
      try {
        const instance = await slots.registry.deregister(ref);
        slots.refs.delete(slot);
        return { ok: true, id: instance.id };
      } catch (error) {
        if (!isRegistryError(error)) throw error;
        if (error.code === 'INSTANCE_NOT_FOUND') slots.refs.delete(slot);
        return failed(slots, error);
      }
    }),
  );
  return encodeJsonFrame(FRAME.RESULTS, request, { results });
}

/** After these the sender cannot be believed any more. */
export function isFatal(error: unknown): boolean {
  return (
    isRegistryError(error) && (error.code === 'FRAME_INVALID' || error.code.startsWith('BODY_'))
  );
}

/** The answer to a request that could not be read or carried out as a whole. */
export function errorFrame(request: number, error: unknown, requestId: string): Uint8Array {
  return encodeJsonFrame(FRAME.ERROR, request, problem(error, requestId));
}

export function problem(error: unknown, requestId: string): object {
  const retryAfterMs = isRegistryError(error) ? error.retryAfterMs : undefined;
  return {
    ...toProblemDocument(error, requestId),
    ...(retryAfterMs === undefined ? undefined : { retryAfterMs }),
  };
}

export function invalid(detail: string): RegistryError {
  return new RegistryError('FRAME_INVALID', { detail });
}

function failed(slots: AgentSlots, error: RegistryError): Result {
  return { ok: false, error: problem(error, slots.requestId) };
}

function unbound(slot: number): RegistryError {
  return new RegistryError('INSTANCE_NOT_FOUND', {
    detail: `No instance is bound to slot ${slot}: register or attach it again.`,
  });
}

function readSlots(frame: Frame): readonly number[] {
  const numbers = decodeNumbers(frame.payload);
  if (!numbers) throw invalid('The payload is a list of slots of four bytes each.');
  const beyond = numbers.find((slot) => slot >= AGENT_LIMITS.slots);
  if (beyond !== undefined) {
    throw invalid(`Slot ${beyond} is not below ${AGENT_LIMITS.slots}.`);
  }
  return numbers;
}

function readJson(frame: Frame): unknown {
  return parseJsonBody(frame.payload, { limitBytes: AGENT_LIMITS.frameBytes });
}
