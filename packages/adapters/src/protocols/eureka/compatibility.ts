import type { CompatibilityEntry } from '../compatibility.ts';

/** How Eureka's words and the registry's stand to each other, in both directions. */
export const compatibility: readonly CompatibilityEntry[] = [
  {
    feature: 'application name',
    mapping:
      'An app is the service of the same name in whatever case, or the lower-case one when there is none. Services that differ in case only are one app.',
  },
  {
    feature: 'group and namespace',
    mapping:
      'Services of another group are apps named GROUP@@SERVICE. Eureka clients live in one namespace, which is configured.',
  },
  {
    feature: 'instanceId',
    mapping:
      'It is the id, unless an instance of another app has that id: then `service:instanceId` is.',
  },
  {
    feature: 'two instances of an app at one address and port',
    mapping: 'None.',
    loss: 'The newer one takes the place of the older one.',
  },
  {
    feature: 'status',
    mapping:
      'UP is passing, DOWN critical, STARTING unknown; OUT_OF_SERVICE (critical) and UNKNOWN (unknown) said by the instance itself are told to Eureka clients as they were said. Warning is UP.',
  },
  {
    feature: 'status override',
    mapping:
      'OUT_OF_SERVICE, DOWN, STARTING and UNKNOWN are a maintenance; UP ends it. It survives the instance’s cancellation, where Eureka forgets it. Maintenance or disabling by others is OUT_OF_SERVICE.',
  },
  {
    feature: 'override UP',
    mapping: 'It sets the status once and is not remembered as an override.',
  },
  {
    feature: 'status after an override is removed',
    mapping: 'What the instance said last, at once; the `value` parameter is not used.',
  },
  {
    feature: 'lease',
    mapping:
      'durationInSecs and renewalIntervalInSecs are the lease; the duration holds as given, where Eureka waits for twice as long.',
  },
  {
    feature: 'checks',
    mapping:
      'Eureka’s clients see the status that checks come to; the URL of the first HTTP check is the healthCheckUrl.',
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
    feature: 'weight',
    mapping:
      'The metadata entry `weight`, when it is a whole number to 65535; written when it is not 100.',
  },
  {
    feature: 'zone',
    mapping: 'The metadata entry `zone`, else the availability-zone of an Amazon data centre.',
  },
  {
    feature: 'address',
    mapping:
      'ipAddr and the port in use (the secure one when only that is enabled) are the address; hostName is kept for Eureka clients.',
  },
  {
    feature:
      'vipAddress, secureVipAddress, page URLs, ports, dataCenterInfo, asgName, appGroupName, countryId, sid',
    mapping:
      'Kept as labels that begin with `eureka.` where they differ from what follows from the rest; each may have 512 bytes.',
  },
  {
    feature: 'isCoordinatingDiscoveryServer, evictionTimestamp, remote regions',
    mapping: 'None.',
    loss: 'Always false, 0 and none.',
  },
  {
    feature: 'lastUpdatedTimestamp',
    mapping: 'The later one of the registration and lastDirtyTimestamp.',
  },
  {
    feature: 'lastRenewalTimestamp',
    mapping: 'Exact for one app and one instance; in lists as of when the service last changed.',
  },
  {
    feature: 'self-preservation',
    mapping: 'Mass-loss protection, a service at a time; instances kept by it are UP.',
  },
  {
    feature: 'rate limiter, response cache, 403 while warming up',
    mapping: 'None.',
    loss: 'Every answer is the present state; there is nothing to warm up.',
  },
  {
    feature: 'standby of an exclusive service',
    mapping: 'OUT_OF_SERVICE, while it stands by.',
  },
];
