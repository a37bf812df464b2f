import type { StoredServiceSettings, TermReason } from './exclusive.ts';
import type { Instance } from './instance.ts';
import type { Revision } from './revision.ts';
import type { StoredRoute } from './route.ts';
import type { ServiceKey } from './service.ts';
import type { StoredTrafficPolicy } from './traffic-policy.ts';

export type DeregisterReason = 'requested' | 'expired' | 'check' | 'superseded' | 'moved';

/** One change, in revision order. Several events may share a revision (one atomic write). */
export type RegistryEvent = { readonly revision: Revision; readonly atMs: number } & (
  | { readonly type: 'instance-registered'; readonly instance: Instance }
  | { readonly type: 'instance-updated'; readonly instance: Instance }
  | { readonly type: 'instance-status'; readonly instance: Instance; readonly previous: string }
  | { readonly type: 'instance-intent'; readonly instance: Instance }
  | {
      readonly type: 'instance-deregistered';
      readonly instance: Instance;
      readonly reason: DeregisterReason;
    }
  | { readonly type: 'protection-entered'; readonly service: ServiceKey; readonly kept: number }
  | { readonly type: 'protection-left'; readonly service: ServiceKey }
  | { readonly type: 'route-put'; readonly route: StoredRoute }
  | { readonly type: 'route-deleted'; readonly namespace: string; readonly name: string }
  | { readonly type: 'policy-put'; readonly policy: StoredTrafficPolicy }
  | { readonly type: 'policy-deleted'; readonly service: ServiceKey }
  | { readonly type: 'settings-put'; readonly settings: StoredServiceSettings }
  | { readonly type: 'settings-deleted'; readonly service: ServiceKey }
  /** A term of an exclusive service began, nearly always with another active instance, or none; the revision is the term. */
  | {
      readonly type: 'active-changed';
      readonly service: ServiceKey;
      readonly active?: string;
      readonly previous?: string;
      readonly reason: TermReason;
    }
  | { readonly type: 'namespace-put'; readonly name: string }
  | { readonly type: 'namespace-deleted'; readonly name: string }
);
