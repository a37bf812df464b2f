import type { Instance, InstanceRef, Registry, ServiceKey } from '@portolan/core';
import { RegistryError } from '@portolan/core';
import { isDialectLabel } from '../labels/dialect-labels.ts';
import { beatTimes, type NacosInstance } from './nacos-instance.ts';
import { groupedName, type NacosService } from './nacos-names.ts';
import { findAt, type Keeper, newId, toRegistrationInput, toWeight } from './to-registration.ts';

const UNTRUSTED = { trusted: false } as const;
/** Why an instance that registered without traffic has none. */
const OWN_WISH = 'registered as not enabled (Nacos)';

/** Why one that an operator took out has none: a maintenance, so that every dialect shows it. */
const OPERATORS_WISH = 'set to not enabled (Nacos)';

export interface InstanceUpdate {
  readonly weight?: number;
  readonly enabled?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What happens to instances, asked for over HTTP or gRPC. */
export interface NacosLifecycle {
  register(service: NacosService, instance: NacosInstance, keeper: Keeper): Promise<InstanceRef>;
  /** Answers with what was there; nothing when there was nothing, which is no fault. */
  deregister(key: ServiceKey, ip: string, port: number): Promise<Instance | undefined>;
  /** What an operator wants of an instance; it survives the instance's registering again. */
  update(service: NacosService, ip: string, port: number, update: InstanceUpdate): Promise<void>;
  /** Answers with the interval to beat at; undefined when it has to register again. */
  beat(
    service: NacosService,
    at: { readonly ip: string; readonly port: number },
    whole: NacosInstance | undefined,
  ): Promise<number | undefined>;
}

export function createNacosLifecycle(registry: Registry): NacosLifecycle {
  const refOf = ({ service, id }: Instance): InstanceRef => ({ namespace: service.namespace, id });

  async function register(service: NacosService, instance: NacosInstance, keeper: Keeper) {
    const { key } = service;
    const { ip, port, enabled } = instance;
    const present = findAt(registry, key, ip, port);
    const id = present?.id ?? newId(registry, key, ip, port);
    await registry.register(toRegistrationInput(key, id, instance, keeper), UNTRUSTED);
    const ref = { namespace: key.namespace, id };
    // An equal registration renews a lease, but a check only hears reports.
    if (present && keeper === 'beat' && instance.healthy) {
      await registry.heartbeat(ref, { status: 'passing' });
    }
    await heed(ref, enabled);
    return ref;
  }

  /** It takes itself out and brings itself back; what an operator took out stays out. */
  async function heed(ref: InstanceRef, enabled: boolean): Promise<void> {
    const { maintenance } = registry.intent(ref);
    const own = maintenance?.reason === OWN_WISH;
    if (!enabled && maintenance === undefined) {
      await registry.setIntent(ref, { maintenance: { reason: OWN_WISH } });
    } else if (enabled && own) await registry.setIntent(ref, { maintenance: null });
  }

  return {
    register,

    async deregister(key, ip, port) {
      const present = findAt(registry, key, ip, port);
      if (!present) return undefined;
      await registry.deregister(refOf(present)).catch((error: unknown) => {
        if (!(error instanceof RegistryError) || error.code !== 'INSTANCE_NOT_FOUND') throw error;
      });
      return present;
    },

    async update(service, ip, port, update) {
      const present = findAt(registry, service.key, ip, port);
      if (!present) throw notFound(service, ip, port);
      const ref = refOf(present);
      const { metadata, enabled } = update;
      if (metadata) {
        const gone = Object.keys(present.metadata).filter(
          (key) => !isDialectLabel(key) && metadata[key] === undefined,
        );
        const removed = Object.fromEntries(gone.map((key) => [key, null]));
        await registry.patch(ref, { metadata: { ...removed, ...metadata } });
      }
      const weight = update.weight === undefined ? undefined : toWeight(update.weight);
      if (weight === undefined && enabled === undefined) return;
      const { maintenance } = registry.intent(ref);
      await registry.setIntent(ref, {
        ...(weight === undefined ? {} : { weight: weight === present.weight ? null : weight }),
        ...(enabled === true ? { enabled, maintenance: null } : {}),
        ...(enabled === false ? { maintenance: maintenanceOf(maintenance?.reason) } : {}),
      });
    },

    async beat(service, { ip, port }, whole) {
      const present = findAt(registry, service.key, ip, port);
      if (!present) {
        if (!whole) return undefined;
        await register(service, whole, 'beat');
        return beatTimes(whole.metadata).intervalMs;
      }
      const reports = present.checks.some(({ probe }) => probe.kind === 'ttl');
      try {
        await registry.heartbeat(refOf(present), reports ? { status: 'passing' } : undefined);
      } catch (error) {
        if (!(error instanceof RegistryError) || error.code !== 'INSTANCE_NOT_FOUND') throw error;
        if (!whole) return undefined;
        await register(service, whole, 'beat');
      }
      return beatTimes(present.metadata).intervalMs;
    },
  };
}

export function notFound(service: NacosService, ip: string, port: number): RegistryError {
  return new RegistryError('INSTANCE_NOT_FOUND', {
    detail: `no matched ip found! ${ip.slice(0, 64)}:${port} is no instance of ${groupedName(service).slice(0, 200)}`,
  });
}

/** Its own wish becomes the operator's, which its next registration does not undo; any other reason stays. */
function maintenanceOf(reason: string | undefined): { readonly reason: string } {
  return { reason: reason === undefined || reason === OWN_WISH ? OPERATORS_WISH : reason };
}
