/**
 * The engine's request parser and body decoder beside the runtime's own, llhttp, over generated streams of requests:
 *
 *   node bench/fuzz/http-parser.ts [--cases 1000000] [--seed 1] [--from 0]
 *
 * Case N of a seed is always the same stream: go on where a run was stopped with `--from N`, and see one case with `--from N
 * --cases 1`. Ends with 1 when it found a difference that no rule excuses.
 */
import { REQUESTS } from './find-difference.ts';
import { runCases } from './run-cases.ts';

await runCases('fuzz-http-parser', REQUESTS);
