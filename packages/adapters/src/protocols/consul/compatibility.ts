import type { CompatibilityEntry } from '../compatibility.ts';

/** Consul's features and what becomes of them; a test of the same name holds each entry to it. */
export const consulCompatibility = {
  'service-id': {
    feature: 'service ID',
    mapping:
      'The id. It is unique on a node, and an address is a node: where the caller registers its own address and a healthy instance elsewhere holds the id, it is kept as `id@node` and shown as `id`.',
    loss: 'A registrar of others’ addresses moves an id that is there already.',
  },
  address: {
    feature: 'service Address',
    mapping: 'The address; left out, the one that the request came from.',
    loss: 'One address and port is one instance of a service: a second id there replaces the first.',
  },
  'no-port': {
    feature: 'service without a port',
    mapping: 'Shown as port 0.',
    loss: 'Others see a stand-in port from 49152 on, and weight 0 so that the gateway sends nothing.',
  },
  tags: {
    feature: 'Tags',
    mapping:
      'Tags. Of `key:value` and `key=value` labels are made for routing as well. Compared without case, as in Consul.',
    loss: 'An empty tag is refused.',
  },
  meta: {
    feature: 'service Meta',
    mapping: 'Metadata.',
    loss: 'Keys that begin with `consul.` hold what has no field here and are not shown to Consul’s clients.',
  },
  'weight-passing': {
    feature: 'Weights.Passing',
    mapping:
      'Weight times 100: Consul’s default 1 is the default 100 here. Read as the effective weight over 100, or as it is where that does not come out even for every instance of the service.',
    loss: 'Above 655 all are 65535.',
  },
  'weight-warning': {
    feature: 'Weights.Warning',
    mapping: 'Taken, and read as 1.',
    loss: 'An instance in warning keeps its weight.',
  },
  'tag-override': {
    feature: 'EnableTagOverride',
    mapping: 'Taken, and read as false.',
    loss: 'There is one catalogue, and nothing to override.',
  },
  'tagged-addresses': {
    feature: 'TaggedAddresses',
    mapping: 'Metadata `consul.address.TAG`; `lan_ipv4` and the like are made of the address.',
    loss: 'Nothing is routed by them.',
  },
  locality: {
    feature: 'Locality',
    mapping: 'Labels `region` and `zone`; read as Node Meta of that name.',
  },
  mesh: {
    feature: 'Kind, Proxy, Connect.SidecarService, SocketPath',
    mapping: 'Refused. `/v1/health/connect` and `/v1/catalog/connect` are empty lists.',
    loss: 'There is no service mesh.',
  },
  'node-name': {
    feature: 'Node',
    mapping:
      'The address, unless `/v1/catalog/register` named it: kept as `consul.node`. Its serfHealth always passes.',
  },
  'node-meta': {
    feature: 'NodeMeta',
    mapping:
      '`zone` and `region` are labels, for routing too; other keys are `consul.node-meta.KEY`.',
    loss: '`zone` and `region` are read in service Meta as well.',
  },
  'node-alone': {
    feature: 'node without a service',
    mapping: 'Refused.',
    loss: 'Nodes are known by their services.',
  },
  lifetime: {
    feature: 'lifetime of a service',
    mapping:
      'No lease: it stays until it is deregistered, or critical for `DeregisterCriticalServiceAfter`, which may be shorter than a minute.',
  },
  leases: {
    feature: 'leases of other dialects',
    mapping: 'A ttl check `service:ID`; passing it renews the lease.',
  },
  'status-unknown': {
    feature: 'status of a check that was not made yet',
    mapping: 'Critical; `unknown` elsewhere.',
  },
  'check-ttl': {
    feature: 'TTL checks',
    mapping: 'Ttl checks: critical until the first word, unless registered with a Status.',
    loss: 'A day is the longest.',
  },
  'check-http': {
    feature: 'HTTP checks',
    mapping: 'Http checks with GET, HEAD, POST or OPTIONS, and headers; 429 is a warning.',
    loss: 'Redirects are not followed; Body and TLSServerName are refused; a Status at registration does not count, the first probe is made at once.',
  },
  'check-tcp': {
    feature: 'TCP and GRPC checks',
    mapping: 'Tcp and grpc checks.',
    loss: 'TCP with TLS is refused.',
  },
  'check-script': {
    feature: 'script and Docker checks',
    mapping: 'Refused.',
    loss: 'Scripts never come from the network; `portolan agent` and the configuration may have them.',
  },
  'check-others': {
    feature: 'UDP, H2PING, OSService and alias checks',
    mapping: 'Refused.',
    loss: 'Use TCP, GRPC or TTL.',
  },
  'check-thresholds': {
    feature: 'SuccessBeforePassing, FailuresBeforeCritical, FailuresBeforeWarning',
    mapping: 'Rise and fall, 1 where not given.',
    loss: 'FailuresBeforeWarning has no effect.',
  },
  'check-texts': {
    feature: 'Name, Notes and Output of a check',
    mapping: 'Names are made of the service’s name. A change of output alone wakes nobody.',
    loss: 'Names and notes are not kept; output has 256 characters and never a response’s body.',
  },
  'check-node': {
    feature: 'checks of a node',
    mapping: 'Refused: a check needs a ServiceID.',
    loss: 'Nodes are known by their services.',
  },
  'check-catalog': {
    feature: 'checks in `/v1/catalog/register`',
    mapping: 'The worst of their statuses is the instance’s status.',
    loss: 'They are shown as one check; an instance with checks of its own keeps those.',
  },
  maintenance: {
    feature: 'maintenance of a service',
    mapping:
      'Maintenance, for the gateway too. An instance disabled elsewhere is shown in maintenance; ending it enables.',
  },
  'maintenance-node': {
    feature: 'maintenance of the agent’s node',
    mapping: 'Maintenance of each service registered at the caller’s address.',
    loss: 'Shown for each service, and not for those that come later; 404 when there is none.',
  },
  protection: {
    feature: 'mass-loss protection',
    mapping: 'Instances kept in rotation are shown passing, with the reason as output.',
  },
  exclusive: {
    feature: 'exclusive services',
    mapping: 'Every instance but the active one has a critical check `_service_standby:ID`.',
    loss: 'Terms are not shown.',
  },
  'index-service': {
    feature: 'blocking queries, X-Consul-Index',
    mapping:
      'The revision plus 1, by service: a change elsewhere neither wakes nor moves. `/v1/catalog/services` moves for names and tags only; nodes and states for every instance of the namespace.',
  },
  filter: {
    feature: '`filter`',
    mapping: 'Every operator, combination and selector that Consul’s documentation lists.',
    loss: 'A pattern of `matches` has 256 characters at most.',
  },
  near: {
    feature: '`near`',
    mapping:
      'What is on the node first, then its zone, then its region. `_agent` is the caller’s address.',
    loss: 'There are no round-trip times.',
  },
  consistency: {
    feature: '`stale`, `consistent`, `cached`, `max_stale`',
    mapping: 'Taken; every answer is the present state, X-Cache is always MISS.',
  },
  tokens: {
    feature: 'tokens',
    mapping: 'Taken in every place.',
    loss: 'Not checked.',
  },
  namespaces: {
    feature: 'namespaces (Enterprise)',
    mapping: '`ns` and Namespace are namespaces.',
    loss: 'Other partitions and peers are refused; another `dc` is "No path to datacenter".',
  },
  groups: {
    feature: 'groups of services',
    mapping: 'Outside the default group a service’s name is `GROUP@@NAME`, in both directions.',
  },
  kv: {
    feature: 'KV store',
    mapping: 'No key exists: 404, also after a wait.',
    loss: 'Writes are "blocked by agent configuration".',
  },
  sessions: {
    feature: 'sessions, ACL, events, prepared queries, transactions, peering, operator',
    mapping: 'Refused: 403 "Endpoint is blocked by agent configuration".',
    loss: 'Not offered.',
  },
  'consul-service': {
    feature: 'the service `consul`',
    mapping: 'Not listed.',
  },
} as const satisfies Readonly<Record<string, CompatibilityEntry>>;

export type ConsulFeature = keyof typeof consulCompatibility;

export const compatibility: readonly CompatibilityEntry[] = Object.values(consulCompatibility);
