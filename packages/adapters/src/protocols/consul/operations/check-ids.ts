import type { CheckSpec, Instance, Registry } from '@portolan/core';
import { automaticCheckId, OWN_CHECK, toShownCheckId } from '../codecs/check-json.ts';
import { badRequest } from '../consul-error.ts';
import type { CheckDefinition } from '../definitions/check-definition.ts';
import { findInstance } from '../identity.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CHECK_ID = /^[^\u0000-\u0020\u007f/]{1,240}$/u;

/** Ids under which a service's checks are kept: given ones behind a mark, others as Consul makes them. */
export function storedCheckIds(
  definitions: readonly CheckDefinition[],
  serviceId: string,
): readonly string[] {
  const automatic = automaticCheckId(serviceId);
  const ids = definitions.map((definition, at) => {
    const given = definition.CheckID || definition.ID;
    if (given) return toStoredCheckId(given, serviceId);
    return definitions.length === 1 ? automatic : `${automatic}:${at + 1}`;
  });
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice === undefined) return ids;
  throw badRequest(`Invalid check: the ID ${JSON.stringify(twice)} is given twice`);
}

export function toStoredCheckId(given: string, serviceId: string): string {
  if (!CHECK_ID.test(given)) {
    throw badRequest(
      `Invalid check: ID ${JSON.stringify(given.slice(0, 64))} must have 1 to 240 characters without space and slash`,
    );
  }
  const automatic = automaticCheckId(serviceId);
  return given === automatic || given.startsWith(`${automatic}:`) ? given : `${OWN_CHECK}${given}`;
}

/** A check that a client names, and whose it is. */
export interface FoundCheck {
  readonly instance: Instance;
  /** Absent: the instance has no check, and reports its status by itself. */
  readonly spec: CheckSpec | undefined;
}

/** Finds the instance of a check id that a client chose: those may be anything. */
export interface CheckIndex {
  find(namespace: string, checkId: string, node: string): Instance | undefined;
}

/**
 * Made when the first such id is asked for; from then on it follows the catalogue's events, so that a heartbeat by check
 * id costs no search. One id may stand on several nodes, as in Consul.
 */
export function createCheckIndex(registry: Registry): CheckIndex {
  let made: Map<string, Set<string>> | undefined;
  const keyOf = (namespace: string, checkId: string): string => `${namespace} ${checkId}`;

  function keysOf(instance: Instance): string[] {
    return instance.checks
      .filter(({ id }) => id.startsWith(OWN_CHECK))
      .map(({ id }) => keyOf(instance.service.namespace, id.slice(OWN_CHECK.length)));
  }
  function add(holders: Map<string, Set<string>>, instance: Instance): void {
    for (const key of keysOf(instance)) {
      const present = holders.get(key);
      if (present) present.add(instance.id);
      else holders.set(key, new Set([instance.id]));
    }
  }
  function drop(holders: Map<string, Set<string>>, key: string, id: string): void {
    const present = holders.get(key);
    present?.delete(id);
    if (present?.size === 0) holders.delete(key);
  }
  function make(): Map<string, Set<string>> {
    const holders = new Map<string, Set<string>>();
    for (const { service } of registry.services()) {
      for (const instance of registry.view(service)?.instances ?? []) add(holders, instance);
    }
    registry.events.subscribe((events) => {
      for (const event of events) {
        // Holders that lost the check meanwhile are dropped when they are next looked at.
        if (event.type === 'instance-registered' || event.type === 'instance-updated') {
          add(holders, event.instance);
        } else if (event.type === 'instance-deregistered') {
          for (const key of keysOf(event.instance)) drop(holders, key, event.instance.id);
        }
      }
    });
    return holders;
  }

  return {
    find(namespace, checkId, node) {
      made ??= make();
      const key = keyOf(namespace, checkId);
      let found: Instance | undefined;
      for (const id of [...(made.get(key) ?? [])]) {
        const instance = registry.instance({ namespace, id });
        if (!instance?.checks.some((check) => check.id === `${OWN_CHECK}${checkId}`)) {
          drop(made, key, id);
        } else if (instance.address === node) return instance;
        else found ??= instance;
      }
      return found;
    },
  };
}

/** The check that a caller on `node` means by an id as readers see it. */
export function findCheck(
  registry: Registry,
  index: CheckIndex,
  namespace: string,
  checkId: string,
  node: string,
): FoundCheck | undefined {
  const prefix = automaticCheckId('');
  if (checkId.startsWith(prefix)) {
    // Ids hold colons themselves: the longest that names an instance counts.
    const rest = checkId.slice(prefix.length);
    for (let end = rest.length; end > 0; end = rest.lastIndexOf(':', end - 1)) {
      const instance = findInstance(registry, namespace, rest.slice(0, end), node);
      if (!instance) continue;
      const spec = instance.checks.find((each) => toShownCheckId(instance, each.id) === checkId);
      if (spec) return { instance, spec };
      if (end === rest.length && instance.checks.length === 0) return { instance, spec: undefined };
    }
  }
  const instance = index.find(namespace, checkId, node);
  const spec = instance?.checks.find(({ id }) => id === `${OWN_CHECK}${checkId}`);
  return instance && spec ? { instance, spec } : undefined;
}
