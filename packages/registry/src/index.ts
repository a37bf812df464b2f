export {
  DEFAULT_REGISTRY_OPTIONS,
  type RegistryOptions,
  type RegistryOptionsInput,
} from './options/registry-options.ts';
export {
  type AggregatorDeps,
  type AggregatorOptions,
  createProviderAggregator,
  type ProviderAggregator,
} from './providers/aggregator.ts';
export { createRegistry, type LocalRegistry, type RegistryDeps } from './registry.ts';
export { type EmbeddedStoreOptions, openEmbeddedStore } from './store/embedded-store.ts';
export {
  type RestoreOptions,
  type RestoreOutcome,
  type RestoreProgress,
  restoreSnapshot,
  type SnapshotSource,
} from './store/restore-snapshot.ts';
export { saveSnapshot } from './store/save-snapshot.ts';
export { RESTORE_MARKER_KEY } from './store/snapshot-format.ts';
