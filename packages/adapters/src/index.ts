export {
  type AcmeOrder,
  type ChallengeBoard,
  type IssuedCertificate,
  newAccountKey,
  obtainCertificate,
  placeholderCertificate,
} from './acme/acme-certificates.ts';
export { type CompiledFile, compileFile } from './apply/compile-file.ts';
export type { CompiledDocument } from './apply/compiled-document.ts';
export type { DocumentProblem } from './apply/document-reader.ts';
export { createProbes } from './probes/create-probes.ts';
export { createGrpcProbe } from './probes/grpc-probe.ts';
export { createHttpProbe, type HttpProbeOptions } from './probes/http-probe.ts';
export { lookupHost } from './probes/lookup-host.ts';
export type { ProbeDeps } from './probes/probe-deps.ts';
export { createScriptProbe } from './probes/script-probe.ts';
export { createTcpProbe } from './probes/tcp-probe.ts';
export { fromJsonPath } from './protocols/body/json-path.ts';
export type { RestDeps, SnapshotPort, WebhookFailure } from './protocols/rest/operation.ts';
export {
  type ParsedDocument,
  parsePolicyDocument,
  parseRegistrationDocument,
  parseRouteDocument,
} from './protocols/rest/parse-document.ts';
export {
  createRestAdapter,
  REST_BASE,
  type RestAdapterOptions,
} from './protocols/rest/rest-adapter.ts';
export type { ContainerBoard } from './providers/docker/container-board.ts';
export type { ContainerReport } from './providers/docker/convert/report.ts';
export {
  createDockerProvider,
  type DockerProvider,
  type DockerProviderDeps,
  type DockerProviderOptions,
  type DockerView,
} from './providers/docker/docker-provider.ts';
export { parseEngineAddress } from './providers/docker/engine/engine-address.ts';
export {
  createWebhookDispatcher,
  type WebhookDispatcher,
  type WebhookDispatcherDeps,
  type WebhookDispatcherOptions,
} from './webhooks/webhook-dispatcher.ts';
