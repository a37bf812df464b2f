export { istioReviews } from './builders/istio-reviews.ts';
export type { GoldenRequest } from './golden/golden-file.ts';
export { type GoldenAnswer, type GoldenTarget, playGoldenFile } from './golden/golden-runner.ts';
export { seededRandom } from './random/seeded-random.ts';
export { MemoryStore, type MemoryStoreOptions } from './store/memory-store.ts';
export { settle, TurnableClock } from './time/turnable-clock.ts';
