import type { CompatibilityEntry } from '../labels/compatibility-entry.ts';

/** How Nacos' words and the registry's stand to each other, in both directions. */
export const NACOS_COMPATIBILITY: readonly CompatibilityEntry[] = [
  {
    feature: 'namespace',
    outcome: 'mapped',
    how: '`public` (or none) is the configured namespace; every other one has its own name.',
  },
  {
    feature: 'group',
    outcome: 'mapped',
    how: '`DEFAULT_GROUP` is the group `default`; every other one has its own name.',
  },
  {
    feature: 'service name',
    outcome: 'mapped',
    how: 'As given; characters that a name here may not have, or not at its end, are written as `@` and two hexadecimal digits (Dubbo’s `…::`). At most 128 characters so written.',
  },
  {
    feature: 'cluster',
    outcome: 'mapped',
    how: 'A cluster other than `DEFAULT` is the label `zone`; a zone set by others is the cluster. A metadata entry `zone` of its own stays what it is.',
  },
  {
    feature: 'one address and port in two clusters of a service',
    outcome: 'lost',
    how: 'It is one instance, in the cluster that it registered in last.',
  },
  {
    feature: 'weight',
    outcome: 'mapped',
    how: '1.0 is 100; steps of 0.01, and at most 655.35.',
  },
  {
    feature: 'enabled',
    outcome: 'mapped',
    how: 'The intent: disabled or in maintenance is not enabled, and such instances are left out of lists, as Nacos does.',
  },
  {
    feature: 'weight, enabled and metadata of an update (PUT, PATCH)',
    outcome: 'mapped',
    how: 'Weight and enabled are an operator’s intent and survive the instance’s registering again; metadata is replaced until it registers again.',
  },
  {
    feature: 'healthy',
    outcome: 'mapped',
    how: 'Passing and warning are healthy, critical and unknown are not; an instance kept by mass-loss protection is.',
  },
  {
    feature: 'ephemeral, over HTTP',
    outcome: 'same',
    how: 'Unhealthy after preserved.heart.beat.timeout (15 s), gone after preserved.ip.delete.timeout (30 s) without a beat.',
  },
  {
    feature: 'ephemeral, over gRPC',
    outcome: 'mapped',
    how: 'Gone when the connection ends or is silent for too long; after a crash of the server 30 s later, unless the client came back.',
  },
  {
    feature: 'persistent',
    outcome: 'mapped',
    how: 'Stays until it is deregistered; a TCP check of its port says whether it is healthy, and it takes no traffic before the first one passes.',
  },
  {
    feature: 'ephemeral as others see it',
    outcome: 'mapped',
    how: 'An instance that others registered is ephemeral when it has a lease or a ttl check.',
  },
  {
    feature: 'a service is all ephemeral or all persistent',
    outcome: 'lost',
    how: 'Both may be in one service.',
  },
  {
    feature: 'metadata',
    outcome: 'same',
    how: 'As given, within 64 labels of 128 and 512 bytes; more is refused with 400.',
  },
  {
    feature: 'tags',
    outcome: 'mapped',
    how: '`key:value` tags are metadata entries, all others are joined under `tags`; they are not read back.',
  },
  {
    feature: 'protectThreshold, metadata and existence of a service created by name',
    outcome: 'mapped',
    how: 'In force until the server ends; it is not written to disk. Selectors are not used.',
  },
  {
    feature: 'push over UDP',
    outcome: 'mapped',
    how: 'To the address that asked, whatever it gives as clientIP.',
  },
  {
    feature: 'configuration service',
    outcome: 'lost',
    how: 'There is none: questions are answered "config data not exist", listeners wait, writes are refused.',
  },
  {
    feature: 'users and roles',
    outcome: 'mapped',
    how: 'Names and passwords of one file; who is in it may do everything.',
  },
  {
    feature: 'fuzzy watch, ability negotiation, cluster calls, console',
    outcome: 'lost',
    how: 'Not spoken; clients go on without.',
  },
  {
    feature: 'standby of an exclusive service',
    outcome: 'mapped',
    how: 'OUT_OF_SERVICE, while it stands by.',
  },
];
