import type { CompatibilityEntry } from '../compatibility.ts';

/** What a name can ask of the registry; DNS only reads. */
export const compatibility: readonly CompatibilityEntry[] = [
  {
    feature: 'registration',
    mapping: 'None: instances are registered by another door.',
    loss: 'Dynamic update (RFC 2136) is answered NOTIMP.',
  },
  {
    feature: 'service',
    mapping: '`NAME.service.portolan`, `_NAME._tcp.service.portolan`, and the same below `consul`.',
    loss: 'Case does not matter: of services that differ in case only, the one in lower case has the name.',
  },
  {
    feature: 'namespace, group',
    mapping:
      '`NAME.service.NAMESPACE.portolan`, `NAME.service.GROUP.group.NAMESPACE.ns.portolan`; `GROUP@@NAME` as in Consul’s list.',
  },
  {
    feature: 'tag',
    mapping: '`TAG.NAME.service.portolan`, `_NAME._TAG.service.portolan`, in whatever case.',
    loss: 'A tag of more than 63 bytes cannot be asked for. Tags without `:` or `=` are in no answer.',
  },
  {
    feature: 'address',
    mapping: '`A` and `AAAA`, each address once; `HEX.addr.portolan` for one.',
  },
  {
    feature: 'host name as address',
    mapping: 'Target of its SRV record. A `CNAME` for `A` and `AAAA` where all instances have one.',
    loss: 'Beside instances with addresses it is in SRV records only.',
  },
  {
    feature: 'port',
    mapping:
      '`SRV`; `port=` in `TXT`. 0 for a service that Consul’s clients registered without one.',
  },
  {
    feature: 'weight',
    mapping:
      'Weight of the SRV record, the operator’s where set; the order of every answer. 0: left out.',
  },
  {
    feature: 'status, maintenance, disabled',
    mapping: 'What is routable is in the answer, all else is not.',
    loss: 'Passing, warning and kept by mass-loss protection look the same. Of a service of which nothing works there is no name.',
  },
  {
    feature: 'id, metadata, labels, zone',
    mapping: '`KEY=VALUE` strings of `TXT`.',
    loss: 'Labels whose key holds `=`, or of more than 255 bytes together, are left out.',
  },
  {
    feature: 'changes',
    mapping:
      'Every question is answered from the present state; `ttl` says how long an answer may be kept (0 s).',
    loss: 'There is no push, and no blocking.',
  },
];
