import { DEFAULT_NAMESPACE, type Registry, RegistryError, type Store } from '@portolan/core';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { namespaceKey } from '../codec/keys.ts';
import { encodeValue } from '../codec/stored-value.ts';
import type { KeyLock } from './key-lock.ts';
import { keyLock } from './lock-keys.ts';

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._@:-]{0,126}[A-Za-z0-9])?$/;

export interface NamespacesDeps {
  readonly catalogue: Catalogue;
  readonly store: Store;
  readonly lock: KeyLock;
}

/** Namespaces: made on request or by their first registration, deleted when nothing is left in them. */
export function createNamespaces({
  catalogue,
  store,
  lock,
}: NamespacesDeps): Pick<Registry, 'namespaces' | 'createNamespace' | 'deleteNamespace'> {
  function list(): { name: string; services: number; instances: number }[] {
    const counts = new Map([[DEFAULT_NAMESPACE, { services: 0, instances: 0 }]]);
    for (const name of catalogue.storedNamespaces())
      counts.set(name, { services: 0, instances: 0 });
    for (const { service, instances } of catalogue.services()) {
      const count = counts.get(service.namespace) ?? { services: 0, instances: 0 };
      count.services++;
      count.instances += instances;
      counts.set(service.namespace, count);
    }
    return [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => ({ name, ...count }));
  }

  /** Writes one key; nothing happens when it is already so. */
  async function write(name: string, value: string | null): Promise<void> {
    const key = namespaceKey(name);
    const release = await lock.acquire([keyLock(key)]);
    try {
      const present = catalogue.namespaceRevision(name);
      if ((present !== 0) === (value !== null)) return;
      const op =
        value === null
          ? ({ type: 'delete', key } as const)
          : ({ type: 'put', key, value } as const);
      const committed = await store.commit([op]);
      if (committed.ok) await catalogue.reached.wait(committed.revision);
    } finally {
      release();
    }
  }

  return {
    namespaces: list,
    async createNamespace(name) {
      if (!NAME.test(name)) {
        const expected = '1 to 128 letters, digits or one of . _ - : @';
        throw new RegistryError('VALIDATION_FAILED', {
          detail: `The name of a namespace has to be ${expected}.`,
          problems: [{ path: '$.name', expected, found: name.slice(0, 64) }],
        });
      }
      await write(name, encodeValue({}));
    },
    async deleteNamespace(name) {
      const present = list().find((namespace) => namespace.name === name);
      if (!present || (catalogue.namespaceRevision(name) === 0 && present.instances === 0)) {
        throw new RegistryError('NAMESPACE_NOT_FOUND', {
          detail: `There is no namespace "${name}" that could be deleted.`,
        });
      }
      const routes = catalogue.routes().filter((route) => route.namespace === name).length;
      if (present.instances > 0 || routes > 0) {
        throw new RegistryError('CONFLICT', {
          detail: `Namespace "${name}" still has ${present.instances} instances and ${routes} routes. Remove them first.`,
        });
      }
      await write(name, null);
    },
  };
}
