import type { CompatibilityEntry } from '../compatibility.ts';

/** How Nacos' words and the registry's stand to each other, in both directions. */
export const compatibility: readonly CompatibilityEntry[] = [
  {
    feature: 'namespace',
    mapping: '`public` (or none) is the configured namespace; every other one has its own name.',
  },
  {
    feature: 'group',
    mapping: '`DEFAULT_GROUP` is the group `default`; every other one has its own name.',
  },
  {
    feature: 'service name',
    mapping:
      'As given; characters that a name here may not have, or not at its end, are written as `@` and two hexadecimal digits (Dubbo’s `…::`). At most 128 characters so written.',
  },
  {
    feature: 'cluster',
    mapping:
      'A cluster other than `DEFAULT` is the label `zone`; a zone set by others is the cluster. A metadata entry `zone` of its own stays what it is.',
  },
  {
    feature: 'one address and port in two clusters of a service',
    mapping: 'None.',
    loss: 'It is one instance, in the cluster that it registered in last.',
  },
  {
    feature: 'weight',
    mapping: '1.0 is 100; steps of 0.01, and at most 655.35.',
  },
  {
    feature: 'enabled',
    mapping:
      'Of a registration: a maintenance, which the instance ends by registering enabled. Of an update: the operator’s intent. Disabled or in maintenance is not enabled, and left out of lists, as Nacos does.',
  },
  {
    feature: 'weight, enabled and metadata of an update (PUT, PATCH)',
    mapping:
      'Weight and enabled are an operator’s intent and survive the instance’s registering again; metadata is replaced until it registers again.',
  },
  {
    feature: 'healthy',
    mapping:
      'Passing and warning are healthy, critical and unknown are not; an instance kept by mass-loss protection is.',
  },
  {
    feature: 'ephemeral, over HTTP',
    mapping:
      'Unhealthy after preserved.heart.beat.timeout (15 s), gone after preserved.ip.delete.timeout (30 s) without a beat.',
  },
  {
    feature: 'ephemeral, over gRPC',
    mapping:
      'Gone when the connection ends or is silent for too long; after a crash of the server 30 s later, unless the client came back.',
  },
  {
    feature: 'persistent',
    mapping:
      'Stays until it is deregistered; a TCP check of its port says whether it is healthy, and it takes no traffic before the first one passes.',
  },
  {
    feature: 'ephemeral as others see it',
    mapping: 'An instance that others registered is ephemeral when it has a lease or a ttl check.',
  },
  {
    feature: 'a service is all ephemeral or all persistent',
    mapping: 'None.',
    loss: 'Both may be in one service.',
  },
  {
    feature: 'metadata',
    mapping: 'As given, within 64 labels of 128 and 512 bytes; more is refused with 400.',
  },
  {
    feature: 'tags',
    mapping:
      '`key:value` tags are metadata entries, all others are joined under `tags`; they are not read back.',
  },
  {
    feature: 'protectThreshold, metadata and existence of a service created by name',
    mapping: 'In force until the server ends; it is not written to disk. Selectors are not used.',
  },
  {
    feature: 'push over UDP',
    mapping: 'To the address that asked, whatever it gives as clientIP.',
  },
  {
    feature: 'configuration service',
    mapping: 'None.',
    loss: 'There is none: questions are answered "config data not exist", listeners wait, writes are refused.',
  },
  {
    feature: 'users and roles',
    mapping: 'Names and passwords of one file; who is in it may do everything.',
  },
  {
    feature: 'fuzzy watch, ability negotiation, cluster calls, console',
    mapping: 'None.',
    loss: 'Not spoken; clients go on without.',
  },
  {
    feature: 'standby of an exclusive service',
    mapping: 'OUT_OF_SERVICE, while it stands by.',
  },
];
