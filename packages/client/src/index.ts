export type { AgentSocket, DialAgent } from './agent/agent-socket.ts';
export type { CallScope, IfRevision, StreamOptions } from './calls/caller.ts';
export type { ContainerDocument, ContainersDocument } from './calls/container-calls.ts';
export type { NamespaceDocument } from './calls/namespace-calls.ts';
export type { RestoreMode } from './calls/snapshot-calls.ts';
export {
  type ClientDeps,
  type ClientOptions,
  createClient,
  type PortolanClient,
} from './client.ts';
export type { DiscoverOptions, Discovery, DiscoveryEvents } from './discover/discovery.ts';
export {
  type ClientErrorCode,
  isPortolanError,
  PortolanError,
  type PortolanErrorOptions,
} from './http/portolan-error.ts';
export type { FetchFunction, Query } from './http/transport.ts';
export {
  createRemoteCatalogue,
  type RemoteCatalogue,
  type RemoteCatalogueDeps,
  type RemoteCatalogueOptions,
} from './mirror/remote-catalogue.ts';
export type {
  RegisterOptions,
  RegistrationEvents,
  RegistrationHandle,
  RegistrationState,
} from './register/registration-handle.ts';
export { SseError, type SseEvent, SseParser, type SseParserOptions } from './sse/sse-parser.ts';
export { type BackoffOptions, backoffDelayMs, wait } from './time/backoff.ts';
export { holdProcess, systemClock } from './time/system-clock.ts';
export type {
  BatchAnswerItem,
  CheckBody,
  CheckDocument,
  EventDocument,
  ExplanationDocument,
  HandOverAnswer,
  HeartbeatAnswer,
  HeartbeatBody,
  InstanceDocument,
  InstanceFilter,
  IntentDocument,
  ProblemDocument,
  RegisterAnswer,
  RegistrationBody,
  RoleDocument,
  ServiceDocument,
  ServiceSettingsBody,
  ServiceSettingsDocument,
  StatusDocument,
  TermDocument,
  ViewDocument,
  WebhookBody,
  WebhookDocument,
  WebhookFailureDocument,
  WireDuration,
} from './wire/documents.ts';
export { fromInstanceDocument, fromViewDocument } from './wire/from-wire.ts';
export type {
  ApplyAnswer,
  ApplyBody,
  DestinationDocument,
  FieldMatchDocument,
  PolicyBody,
  PolicyDocument,
  RouteBody,
  RouteDocument,
  RouteMatchDocument,
} from './wire/route-documents.ts';
export { fromPolicyDocument, fromRouteDocument } from './wire/route-from-wire.ts';
