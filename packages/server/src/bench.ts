// What the repository's own benchmarks share with `portolan bench`.
export { LatencyHistogram } from './cli/bench/latency-histogram.ts';
export { requestBytes } from './cli/bench/request-bytes.ts';
export { runLoad } from './cli/bench/run-load.ts';
