import { type Instance, type InstanceRef, RegistryError } from '@portolan/core';
import { EUREKA_LABELS } from '../labels/dialect-labels.ts';
import { findInstance, qualifiedId, toServiceKey } from './app-name.ts';
import type { EurekaContext } from './eureka-context.ts';
import { refused } from './eureka-error.ts';
import type { EurekaRegistration, EurekaStatus } from './instance-info.ts';
import {
  effectiveStatus,
  NO_OVERRIDE,
  overrideIntent,
  registeredStatus,
  toStatus,
} from './status.ts';
import { toRegistrationInput } from './to-registration.ts';

const UNTRUSTED = { trusted: false } as const;

/** What a renewal came to: `stale`, another server's word is older than ours. */
export type Renewal = 'renewed' | 'unknown' | { readonly stale: Instance };

/** What happens to an instance, asked for one by one or in a replication batch. */
export interface EurekaLifecycle {
  register(app: string, info: EurekaRegistration, replicated: boolean): Promise<void>;
  renew(
    app: string,
    id: string,
    lastDirtyTimestamp: number | undefined,
    replicated: boolean,
  ): Promise<Renewal>;
  cancel(app: string, id: string): Promise<void>;
  override(app: string, id: string, status: EurekaStatus): Promise<void>;
  removeOverride(app: string, id: string): Promise<void>;
  putMetadata(app: string, id: string, metadata: Readonly<Record<string, string>>): Promise<void>;
}

export function createEurekaLifecycle({ registry, namespace }: EurekaContext): EurekaLifecycle {
  function known(app: string, id: string): { instance: Instance; ref: InstanceRef } {
    const instance = findInstance(registry, namespace, app, id);
    if (!instance) throw unknownInstance(app, id);
    return { instance, ref: { namespace, id: instance.id } };
  }

  return {
    async register(app, info, replicated) {
      const instanceId = checked(app, info);
      const present = findInstance(registry, namespace, app, instanceId);
      if (present && isOlder(info, present)) {
        await registry.heartbeat({ namespace, id: present.id });
        return;
      }
      const service = present?.service ?? toServiceKey(registry, namespace, app);
      const holder = registry.instance({ namespace, id: instanceId });
      const id = present?.id ?? (holder ? qualifiedId(service, instanceId) : instanceId);
      const status = replicated ? info.status : registeredStatus(info.status, present);
      const input = toRegistrationInput({ ...info, status }, { service, id, instanceId });
      const { instance } = await registry.register(input, UNTRUSTED);
      const wanted = toStatus(status);
      // A report since an equal registration outlives it; the client's new word counts.
      const outdated = instance.checks.length === 0 && instance.status !== wanted;
      if (outdated && wanted !== 'unknown') {
        await registry.heartbeat({ namespace, id }, { status: wanted });
      }
    },

    async renew(app, id, lastDirtyTimestamp, replicated) {
      const instance = findInstance(registry, namespace, app, id);
      if (!instance || effectiveStatus(instance) === 'UNKNOWN') return 'unknown';
      const stored = dirtyOf(instance);
      if (lastDirtyTimestamp !== undefined && lastDirtyTimestamp > stored) return 'unknown';
      const older = lastDirtyTimestamp !== undefined && lastDirtyTimestamp < stored;
      if (older && replicated) return { stale: instance };
      const lost = await registry.renewBatch([{ namespace, id: instance.id }]);
      return lost.length === 0 ? 'renewed' : 'unknown';
    },

    async cancel(app, id) {
      await registry.deregister(known(app, id).ref);
    },

    async override(app, id, status) {
      const { instance, ref } = known(app, id);
      await registry.setIntent(ref, overrideIntent(status));
      const silent = instance.checks.length === 0 && instance.status !== 'passing';
      if (status === 'UP' && silent) await registry.heartbeat(ref, { status: 'passing' });
    },

    async removeOverride(app, id) {
      await registry.setIntent(known(app, id).ref, NO_OVERRIDE);
    },

    async putMetadata(app, id, metadata) {
      await registry.patch(known(app, id).ref, { metadata });
    },
  };
}

export function unknownInstance(app: string, id: string): RegistryError {
  return new RegistryError('INSTANCE_NOT_FOUND', {
    detail: `No instance ${JSON.stringify(id.slice(0, 64))} of ${app.slice(0, 64)}; register it again.`,
  });
}

/** Eureka's own checks, in its order and its words; resolves to the instance's id. */
function checked(app: string, info: EurekaRegistration): string {
  const { dataCenterInfo } = info;
  const id = info.instanceId ?? dataCenterInfo?.metadata?.['instance-id'] ?? info.hostName;
  if (id === undefined) throw refused('Missing instanceId');
  if (info.hostName === undefined) throw refused('Missing hostname');
  if (info.ipAddr === undefined) throw refused('Missing ip address');
  if (info.app === undefined) throw refused('Missing appName');
  if (info.app.toUpperCase() !== app.toUpperCase()) {
    throw refused(`Mismatched appName, expecting ${app} but was ${info.app.slice(0, 128)}`);
  }
  if (!dataCenterInfo) throw refused('Missing dataCenterInfo');
  if (dataCenterInfo.name === undefined) throw refused('Missing dataCenterInfo Name');
  return id;
}

function dirtyOf(instance: Instance): number {
  const noted = Number(instance.metadata[EUREKA_LABELS.lastDirtyTimestamp] ?? Number.NaN);
  return Number.isSafeInteger(noted) ? noted : instance.registeredAtMs;
}

/** A client's second thought may arrive before its first: what changed last counts. */
function isOlder(info: EurekaRegistration, present: Instance): boolean {
  const noted = present.metadata[EUREKA_LABELS.lastDirtyTimestamp];
  if (noted === undefined || info.lastDirtyTimestamp === undefined) return false;
  return Number(noted) > info.lastDirtyTimestamp;
}
