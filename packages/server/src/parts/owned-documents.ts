import { isDeepStrictEqual } from 'node:util';
import {
  type DocumentCollection,
  type InstanceRef,
  isRegistryError,
  type Logger,
  type RegistrationInput,
  type Registry,
  type RegistryError,
  type Route,
} from '@portolan/core';
import { type ConfigDocuments, policyKey, routeKey } from '../config/parse-documents.ts';
import { type Ownership, readOwnership, writeOwnership } from './ownership-file.ts';

/** A document of the configuration that the registry would not take. */
export interface RefusedDocument {
  /** `services[2]`. */
  readonly path: string;
  readonly reason: string;
}

/**
 * Brings the configuration's services, routes and traffic policies into the registry. The file has the say over what it wrote itself: a
 * document that was made or changed through the API stays as it is there until it is deleted through the API; what left
 * the file leaves the registry, unless the API changed it meanwhile.
 */
export async function applyDocuments(
  documents: ConfigDocuments,
  deps: { readonly registry: Registry; readonly logger: Logger; readonly ownershipPath: string },
): Promise<readonly RefusedDocument[]> {
  const before = await readOwnership(deps.ownershipPath);
  const refused: RefusedDocument[] = [];
  const instances = await applyServices(documents.services, before, deps.registry, refused);
  const { registry, logger } = deps;
  // Subsets first, so that no route waits for its own.
  const policies = await applyOwned(
    { root: 'policies', collection: registry.policyDocuments, keyOf: policyKey },
    documents.policies,
    before.policies,
    logger,
    refused,
  );
  const routes = await applyOwned(
    {
      root: 'routes',
      collection: registry.routeDocuments,
      keyOf: (route: Route) => routeKey(route),
    },
    documents.routes,
    before.routes,
    logger,
    refused,
  );
  const after: Ownership = { routes, policies, instances };
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

/** One kind of named document that the file and the API both write. */
interface OwnedKind<T, S extends T & { readonly modifyRevision: number }> {
  /** `routes` or `policies`, as in the file. */
  readonly root: string;
  readonly collection: DocumentCollection<T, S>;
  keyOf(document: T): string;
}

async function applyOwned<T, S extends T & { readonly modifyRevision: number }>(
  kind: OwnedKind<T, S>,
  wanted: readonly T[],
  before: Readonly<Record<string, T>>,
  logger: Logger,
  refused: RefusedDocument[],
): Promise<Readonly<Record<string, T>>> {
  const { collection, root } = kind;
  const owned: Record<string, T> = {};
  for (const [at, document] of wanted.entries()) {
    const key = kind.keyOf(document);
    const present = collection.get(key);
    if (present && !isSame(present, document) && !isSame(present, before[key])) {
      logger.warn(
        { document: `${root}/${key}`, revision: present.modifyRevision },
        'the document was made or changed through the API and stays so; delete it there to use the one of the configuration',
      );
      continue;
    }
    try {
      await collection.put(key, document, present?.modifyRevision ?? 0);
      owned[key] = document;
    } catch (error) {
      if (!isRegistryError(error)) throw error;
      refused.push({ path: `${root}[${at}]`, reason: toReason(error) });
    }
  }
  const names = new Set(wanted.map((document) => kind.keyOf(document)));
  for (const [key, written] of Object.entries(before)) {
    const present = collection.get(key);
    if (names.has(key) || !present || !isSame(present, written)) continue;
    await collection.delete(key, present.modifyRevision);
  }
  return owned;
}

function isSame(present: object, written: unknown): boolean {
  if (written === undefined) return false;
  const {
    createRevision: _,
    modifyRevision: __,
    ...document
  } = present as {
    createRevision?: unknown;
    modifyRevision?: unknown;
  };
  // Through JSON: what was read from disk has other prototypes than what was parsed.
  return isDeepStrictEqual(toJson(document), toJson(written));
}

function toJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function toReason(error: RegistryError): string {
  return `${error.message} (${error.code})`;
}
