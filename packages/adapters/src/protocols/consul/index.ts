export { type ConsulFeature, consulCompatibility } from './compatibility.ts';
export { createConsulAdapter } from './consul-adapter.ts';
export type { ConsulAdapterOptions, ConsulDeps } from './consul-context.ts';
