/** How far a feature of the other registry's language is the same here. */
export type Support =
  /** As in Consul. */
  | 'same'
  /** Works; something of it is different or lost, as said. */
  | 'differs'
  /** Refused with an error that says so. */
  | 'refused'
  /** Taken and without effect. */
  | 'ignored';

export interface CompatibilityEntry {
  readonly feature: string;
  readonly support: Support;
  /** What becomes of it, in both directions. */
  readonly here: string;
}

/** Consul's features and what they are here; each entry is held to by a test of the same name. */
export const consulCompatibility = {
  'service-id': {
    feature: 'Service ID',
    support: 'differs',
    here: 'Ids are unique on a node, and an address is a node. An id that a healthy instance elsewhere holds is kept as `id@node` and shown as `id`, when the caller registers its own address; a registrar of others’ addresses moves the id.',
  },
  address: {
    feature: 'Service address',
    support: 'differs',
    here: 'Left out: the address that the request came from. One address and port is one instance of a service: a second id there replaces the first.',
  },
  'no-port': {
    feature: 'Service without a port',
    support: 'differs',
    here: 'Shown as port 0. Other dialects see a stand-in port from 49152 on and weight 0, so that the gateway sends nothing.',
  },
  tags: {
    feature: 'Tags',
    support: 'same',
    here: 'Tags. Of `key:value` and `key=value` labels are made for routing as well. An empty tag is refused.',
  },
  meta: {
    feature: 'Service Meta',
    support: 'same',
    here: 'Metadata. Keys that begin with `consul.` hold what has no field here and are not shown.',
  },
  'weight-passing': {
    feature: 'Weights.Passing',
    support: 'differs',
    here: 'Weight times 100: Consul’s default 1 is the default 100 here; above 655 all are 65535. Read as weight over 100, or as it is where that does not come out even for every instance of the service. The operator’s weight wins.',
  },
  'weight-warning': {
    feature: 'Weights.Warning',
    support: 'ignored',
    here: 'Read as 1. An instance in warning keeps its weight.',
  },
  'tag-override': {
    feature: 'EnableTagOverride',
    support: 'ignored',
    here: 'Read as false: there is one catalogue, and nothing to override.',
  },
  'tagged-addresses': {
    feature: 'TaggedAddresses',
    support: 'same',
    here: 'Kept in metadata as `consul.address.TAG`; `lan_ipv4` and the like are made of the address. Nothing is routed by them.',
  },
  locality: {
    feature: 'Locality',
    support: 'differs',
    here: 'Labels `region` and `zone`, and read as Node Meta of that name.',
  },
  mesh: {
    feature: 'Kind, Proxy, Connect.SidecarService, SocketPath',
    support: 'refused',
    here: 'There is no service mesh. `/v1/health/connect` and `/v1/catalog/connect` are empty lists.',
  },
  'node-name': {
    feature: 'Node',
    support: 'differs',
    here: 'An instance’s node is its address, unless `/v1/catalog/register` named one: kept as `consul.node`. Its serfHealth always passes.',
  },
  'node-meta': {
    feature: 'NodeMeta',
    support: 'differs',
    here: '`zone` and `region` are labels, for routing too, and are read in Service Meta as well; other keys are kept as `consul.node-meta.KEY`.',
  },
  'node-alone': {
    feature: 'Node without a service',
    support: 'refused',
    here: 'Nodes are known by their services.',
  },
  lifetime: {
    feature: 'Lifetime of a service',
    support: 'same',
    here: 'No lease: it stays until it is deregistered, or critical for `DeregisterCriticalServiceAfter`, here without a shortest time of a minute.',
  },
  leases: {
    feature: 'Instances with a lease, of other dialects',
    support: 'differs',
    here: 'Shown with a ttl check `service:ID`; passing it renews the lease.',
  },
  'status-unknown': {
    feature: 'Status of a check not yet made',
    support: 'same',
    here: 'Critical; `unknown` in the native API.',
  },
  'check-ttl': {
    feature: 'TTL checks',
    support: 'same',
    here: 'Critical until the first word, unless registered with a Status. Longest a day.',
  },
  'check-http': {
    feature: 'HTTP checks',
    support: 'differs',
    here: 'GET, HEAD, POST or OPTIONS with headers; 429 is a warning. Redirects are not followed; Body and TLSServerName are refused; a Status at registration does not count: the first probe is made at once.',
  },
  'check-tcp': {
    feature: 'TCP and GRPC checks',
    support: 'same',
    here: 'TCP with TLS is refused.',
  },
  'check-script': {
    feature: 'Script and Docker checks',
    support: 'refused',
    here: 'Never from the network; `portolan agent` and the configuration may have script checks.',
  },
  'check-others': {
    feature: 'UDP, H2PING, OSService and alias checks',
    support: 'refused',
    here: 'Use TCP, GRPC or TTL.',
  },
  'check-thresholds': {
    feature: 'SuccessBeforePassing, FailuresBeforeCritical, FailuresBeforeWarning',
    support: 'differs',
    here: 'Rise and fall, 1 where not given; FailuresBeforeWarning is ignored.',
  },
  'check-texts': {
    feature: 'Name, Notes and Output of a check',
    support: 'differs',
    here: 'Names are made of the service’s name, Notes are not kept, Output has 256 characters and never a response’s body. A change of output alone wakes nobody.',
  },
  'check-node': {
    feature: 'Checks of a node',
    support: 'refused',
    here: 'A check needs a ServiceID.',
  },
  'check-catalog': {
    feature: 'Checks in `/v1/catalog/register`',
    support: 'differs',
    here: 'The worst of their statuses becomes the instance’s status, shown as one check; an instance with checks of its own keeps theirs.',
  },
  maintenance: {
    feature: 'Maintenance of a service',
    support: 'same',
    here: 'Maintenance, also for the gateway. An instance disabled elsewhere is shown in maintenance; ending it enables.',
  },
  'maintenance-node': {
    feature: 'Maintenance of the agent’s node',
    support: 'differs',
    here: 'Maintenance of each service registered at the caller’s address now; shown for each service. 404 when there is none.',
  },
  protection: {
    feature: 'Mass-loss protection',
    support: 'differs',
    here: 'Consul has none. Instances kept in rotation are shown passing, with the reason as output.',
  },
  exclusive: {
    feature: 'Exclusive services',
    support: 'differs',
    here: 'Consul has none. Every instance but the active one has a critical check `_service_standby:ID`.',
  },
  'index-service': {
    feature: 'Blocking queries, X-Consul-Index',
    support: 'same',
    here: 'By service: a change elsewhere neither wakes nor moves. `/v1/catalog/services` moves for names and tags only; nodes and states for every instance of the namespace. The index is the revision plus 1.',
  },
  filter: {
    feature: '`filter`',
    support: 'same',
    here: 'Every operator, combination and selector that Consul’s documentation lists; a pattern of `matches` has 256 characters at most.',
  },
  near: {
    feature: '`near`',
    support: 'differs',
    here: 'No round-trip times: what is on the node first, then its zone, then its region. `_agent` is the caller’s address.',
  },
  consistency: {
    feature: '`stale`, `consistent`, `cached`, `max_stale`',
    support: 'same',
    here: 'Taken; every answer is the present state, X-Cache is always MISS.',
  },
  tokens: {
    feature: 'Tokens',
    support: 'ignored',
    here: 'Taken in every place and not checked.',
  },
  namespaces: {
    feature: 'Namespaces (Enterprise)',
    support: 'same',
    here: '`ns` and Namespace are namespaces here. Other partitions and peers are refused; another `dc` is "No path to datacenter".',
  },
  groups: {
    feature: 'Groups of services, of other dialects',
    support: 'differs',
    here: 'Outside the default group a service’s name is `GROUP@@NAME`, in both directions.',
  },
  kv: {
    feature: 'KV store',
    support: 'refused',
    here: 'No key exists: 404, also after a wait. Writes are "blocked by agent configuration".',
  },
  sessions: {
    feature: 'Sessions, ACL, events, prepared queries, transactions, peering, operator',
    support: 'refused',
    here: '403 "Endpoint is blocked by agent configuration".',
  },
  'consul-service': {
    feature: 'The service `consul`',
    support: 'differs',
    here: 'Not listed.',
  },
} as const satisfies Readonly<Record<string, CompatibilityEntry>>;

export type ConsulFeature = keyof typeof consulCompatibility;
