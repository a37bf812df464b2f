import { isDeepStrictEqual } from 'node:util';
import {
  type InstanceRef,
  isRegistryError,
  type Logger,
  type RegistrationInput,
  type Registry,
  type RegistryError,
  type Route,
  type StoredRoute,
} from '@portolan/core';
import { type ConfigDocuments, routeKey } from '../config/parse-documents.ts';
import { type Ownership, readOwnership, writeOwnership } from './ownership-file.ts';

/** A document of the configuration that the registry would not take. */
export interface RefusedDocument {
  /** `services[2]`. */
  readonly path: string;
  readonly reason: string;
}

/**
 * Brings the configuration's services and routes into the registry. The file has the say over what it wrote itself: a
 * route that was made or changed through the API stays as it is there until it is deleted through the API; what left
 * the file leaves the registry, unless the API changed it meanwhile.
 */
export async function applyDocuments(
  documents: ConfigDocuments,
  deps: { readonly registry: Registry; readonly logger: Logger; readonly ownershipPath: string },
): Promise<readonly RefusedDocument[]> {
  const before = await readOwnership(deps.ownershipPath);
  const refused: RefusedDocument[] = [];
  const instances = await applyServices(documents.services, before, deps.registry, refused);
  const routes = await applyRoutes(documents.routes, before, deps, refused);
  const after: Ownership = { routes, instances };
  if (!isDeepStrictEqual(before, after)) await writeOwnership(deps.ownershipPath, after);
  return refused;
}

async function applyServices(
  inputs: readonly RegistrationInput[],
  before: Ownership,
  registry: Registry,
  refused: RefusedDocument[],
): Promise<readonly string[]> {
  const owned: string[] = [];
  // The new ones first: a service that moves to another id never has nobody in between.
  const results = inputs.length > 0 ? await registry.registerBatch(inputs, { trusted: true }) : [];
  for (const [at, result] of results.entries()) {
    if (result.ok) {
      const { service, id } = result.value.instance;
      owned.push(`${service.namespace}/${id}`);
    } else refused.push({ path: `services[${at}]`, reason: toReason(result.error) });
  }
  for (const key of before.instances) {
    if (!owned.includes(key)) await deregister(registry, key);
  }
  return owned;
}

async function deregister(registry: Registry, key: string): Promise<void> {
  const slash = key.indexOf('/');
  const ref: InstanceRef = { namespace: key.slice(0, slash), id: key.slice(slash + 1) };
  try {
    await registry.deregister(ref);
  } catch (error) {
    if (!isRegistryError(error) || error.code !== 'INSTANCE_NOT_FOUND') throw error;
  }
}

async function applyRoutes(
  wanted: readonly Route[],
  before: Ownership,
  deps: { readonly registry: Registry; readonly logger: Logger },
  refused: RefusedDocument[],
): Promise<Readonly<Record<string, Route>>> {
  const { routeDocuments } = deps.registry;
  const owned: Record<string, Route> = {};
  for (const [at, route] of wanted.entries()) {
    const key = routeKey(route);
    const present = routeDocuments.get(key);
    if (present && !isSame(present, route) && !isSame(present, before.routes[key])) {
      deps.logger.warn(
        { route: key, revision: present.modifyRevision },
        'the route was made or changed through the API and stays so; delete it there to use the one of the configuration',
      );
      continue;
    }
    try {
      await routeDocuments.put(key, route, present?.modifyRevision ?? 0);
      owned[key] = route;
    } catch (error) {
      if (!isRegistryError(error)) throw error;
      refused.push({ path: `routes[${at}]`, reason: toReason(error) });
    }
  }
  const names = new Set(wanted.map(routeKey));
  for (const [key, written] of Object.entries(before.routes)) {
    const present = routeDocuments.get(key);
    if (names.has(key) || !present || !isSame(present, written)) continue;
    await routeDocuments.delete(key, present.modifyRevision);
  }
  return owned;
}

function isSame(present: StoredRoute, written: Route | undefined): boolean {
  if (!written) return false;
  const { createRevision: _, modifyRevision: __, ...route } = present;
  // Through JSON: what was read from disk has other prototypes than what was parsed.
  return isDeepStrictEqual(toJson(route), toJson(written));
}

function toJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function toReason(error: RegistryError): string {
  return `${error.message} (${error.code})`;
}
