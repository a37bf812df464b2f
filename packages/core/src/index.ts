export { FrameReader } from './agent-protocol/frame-reader.ts';
export {
  AGENT_LIMITS,
  AGENT_PATH,
  AGENT_PROTOCOL,
  decodeNumbers,
  encodeFrame,
  encodeJsonFrame,
  encodeNumbers,
  FRAME,
  FRAME_HEADER_BYTES,
  type Frame,
  type FrameName,
  type FrameSender,
  type FrameType,
  frameName,
  joinFrames,
} from './agent-protocol/frames.ts';
export { createBalancer } from './balancers/create-balancer.ts';
export { hashText, mixHashes } from './balancers/hash-text.ts';
export { createLeastRequest } from './balancers/least-request.ts';
export { createWeightedRoundRobin } from './balancers/weighted-round-robin.ts';
export { readRoute } from './documents/read-route.ts';
export { readTrafficPolicy } from './documents/read-traffic-policy.ts';
export { ShapeError } from './documents/shape.ts';
export { ERROR_TABLE, type ErrorCode, type ErrorRow } from './errors/error-table.ts';
export {
  isRegistryError,
  type Problem,
  RegistryError,
  type RegistryErrorOptions,
} from './errors/registry-error.ts';
export {
  type CheckHealth,
  type CheckThresholds,
  initialCheckHealth,
  reduceCheck,
} from './health/check-reducer.ts';
export { isRoutableStatus, worstStatus } from './health/worst-status.ts';
export { type AsciiTexts, countOf, textAt, toAsciiTexts } from './model/ascii-texts.ts';
export {
  type CatalogueState,
  catalogueDifference,
  emptyCatalogue,
  findCatalogueInstance,
  putCatalogueView,
  summariseCatalogue,
} from './model/catalogue-state.ts';
export {
  type CheckSchedule,
  type CheckSpec,
  type CheckState,
  DEFAULT_CHECK_SCHEDULE,
  type GrpcProbeConfig,
  type HttpProbeConfig,
  type ProbeConfig,
  type ProbeKind,
  type ProbeResult,
  type ScriptProbeConfig,
  type TcpProbeConfig,
  type TtlProbeConfig,
} from './model/check.ts';
export { CONDITION_STATES, type Condition, isWithdrawn } from './model/condition.ts';
export {
  DURATION_EXPECTED,
  formatDuration,
  MAX_DURATION_MS,
  parseDuration,
} from './model/duration.ts';
export type { DeregisterReason, RegistryEvent } from './model/event.ts';
export type {
  ExclusiveRole,
  ExclusiveTerm,
  ServiceSettings,
  StoredServiceSettings,
  TermReason,
} from './model/exclusive.ts';
export {
  type Instance,
  type InstanceRef,
  type Labels,
  type Registration,
  type ServiceView,
  toServiceView,
} from './model/instance.ts';
export { DEFAULT_INTENT, type Intent, type IntentPatch } from './model/intent.ts';
export { LABEL_LIMITS, matchesLabels, parseTag, toLabels } from './model/labels.ts';
export { LEASE_PROFILES, type LeaseSpec } from './model/lease.ts';
export type { Revision } from './model/revision.ts';
export {
  BALANCER_NAMES,
  type BalancerName,
  type CallerKey,
  type Compression,
  type CompressionCoding,
  type CorsPolicy,
  type Destination,
  type DestinationRef,
  type DirectResponse,
  type FaultInjection,
  type ForwardAuth,
  type HeaderEdits,
  type HedgePolicy,
  type HostPattern,
  type RateLimit,
  RETRY_CONDITIONS,
  type Redirect,
  type RetryCondition,
  type RetryPolicy,
  type Route,
  type RouteMatch,
  type StoredRoute,
} from './model/route.ts';
export {
  DEFAULT_GROUP,
  DEFAULT_NAMESPACE,
  parseServiceId,
  type ServiceKey,
  serviceId,
} from './model/service.ts';
export type { Status } from './model/status.ts';
export type { FieldMatch, PathMatch, TextMatch } from './model/text-match.ts';
export type {
  CircuitLimits,
  LocalityPolicy,
  SessionAffinity,
  StoredTrafficPolicy,
  TrafficPolicy,
  TrafficSettings,
  TransportPolicy,
} from './model/traffic-policy.ts';
export type { Webhook } from './model/webhook.ts';
export {
  type AddressPolicy,
  type AddressPolicyOptions,
  type AddressVerdict,
  createAddressPolicy,
  DEFAULT_ALLOWED_NETWORKS,
  type OwnEndpoint,
} from './network/address-policy.ts';
export { type Cidr, cidrContains, matchesCidr, parseCidr } from './network/cidr.ts';
export {
  formatIp,
  type IpAddress,
  isHostName,
  isIpv4Mapped,
  parseIp,
  parseIpv4Value,
  unmapIp,
} from './network/ip-address.ts';
export { type Admission, NO_ADMISSION, type RequestClass } from './ports/admission.ts';
export type { AttemptOutcome, Balancer, Endpoint, PickContext } from './ports/balancer.ts';
export type {
  CatalogueReader,
  CatalogueUpdate,
  EventLog,
  ServiceSummary,
} from './ports/catalogue.ts';
export type { Clock, Random, TimerHandle } from './ports/clock.ts';
export type { HealthProbe } from './ports/health-probe.ts';
export type {
  ControlReply,
  ControlRequest,
  HttpProtocolAdapter,
  HttpRoute,
  ProtocolAdapter,
  RouteUpgrade,
  SocketAddress,
  SocketProtocolAdapter,
  UpgradedConnection,
  UpgradedHandler,
} from './ports/protocol-adapter.ts';
export type { ProvidedInstance, Provider, ProviderSnapshot } from './ports/provider.ts';
export type {
  BatchItem,
  CheckInput,
  DocumentCollection,
  DocumentOutcome,
  DocumentWrite,
  Heartbeat,
  HeartbeatOutcome,
  RegisterOutcome,
  RegistrationInput,
  RegistrationPatch,
  Registry,
  WriteContext,
} from './ports/registry.ts';
export type {
  ExplainedDestination,
  ExplainedEndpoint,
  ExplainedState,
  RequestToExplain,
  RouteExplainer,
  RouteExplanation,
  RoutePassedOver,
} from './ports/route-explainer.ts';
export type { Change, CommitResult, Entry, Guard, Op, Store } from './ports/store.ts';
export {
  type Counter,
  type Gauge,
  type Histogram,
  type LabelledMetric,
  type Logger,
  type MetricOptions,
  type Metrics,
  NO_LOGGER,
  NO_METRICS,
} from './ports/telemetry.ts';
export { type BackoffOptions, backoffMs, DEFAULT_RETRY_BACKOFF } from './resilience/backoff.ts';
export { createLoopLag, type LoopLag } from './resilience/loop-lag.ts';
export {
  DEFAULT_OUTLIER_OPTIONS,
  ejectBySuccessRate,
  newOutlierState,
  noteOutlierSignal,
  type OutlierOptions,
  type OutlierSignal,
  type OutlierState,
  tryReadmit,
} from './resilience/outlier-detection.ts';
export {
  createRetryBudget,
  DEFAULT_RETRY_BUDGET,
  type RetryBudget,
  type RetryBudgetOptions,
} from './resilience/retry-budget.ts';
