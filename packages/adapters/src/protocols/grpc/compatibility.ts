import type { CompatibilityEntry } from '../compatibility.ts';

/** How the gRPC API says what the HTTP API says. */
export const compatibility: readonly CompatibilityEntry[] = [
  {
    feature: 'registration',
    mapping: 'The same fields, rules and limits; `_ms` where the HTTP API takes durations.',
    loss: 'An empty text is an absent one: there is no empty id, group or check id to be refused.',
  },
  {
    feature: 'status',
    mapping: '`STATUS_PASSING`, `STATUS_WARNING`, `STATUS_CRITICAL`, `STATUS_UNKNOWN`.',
    loss: 'Eureka’s words (`UP`, `DOWN`) are not taken.',
  },
  {
    feature: 'heartbeat',
    mapping:
      '`Heartbeat`, a stream of many ids at a time; `Report` where status or metadata go with it.',
  },
  {
    feature: 'maintenance, enabled, weight of the operator',
    mapping: '`SetIntent`; `clear_weight` and `clear_maintenance` take back.',
  },
  {
    feature: 'exclusive services',
    mapping: '`exclusive` in the registration, role and term in every instance, `HandOver`.',
    loss: 'Settings of a service are changed over HTTP; heartbeat streams do not tell roles.',
  },
  {
    feature: 'watch',
    mapping: '`Watch`, as `GET /api/v1/watch`: whole views, coalesced, resumable.',
    loss: 'Services only: routes, policies and single events are followed over HTTP.',
  },
  {
    feature: 'errors',
    mapping:
      'The table’s canonical code; its own code as `google.rpc.ErrorInfo`, fields as `BadRequest`.',
    loss: 'Texts are cut at 500 characters, and of many faulty fields 20 are named.',
  },
  {
    feature: 'numbers',
    mapping: 'Revisions and milliseconds are `uint64`.',
    loss: 'Values from 2^53 on are refused.',
  },
  {
    feature: 'routes, policies, service settings, webhooks, snapshots, namespaces',
    mapping: 'Over HTTP only.',
    loss: 'Not offered.',
  },
];
