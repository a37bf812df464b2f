/** As `http-parser.ts`, for the responses of an upstream: node bench/fuzz/response-parser.ts [--cases 1000000] [--seed 1] [--from 0] */
import { RESPONSES } from './response-difference.ts';
import { runCases } from './run-cases.ts';

await runCases('fuzz-response-parser', RESPONSES);
