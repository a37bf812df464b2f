import type { SourceTree } from './source-tree.ts';

/** One breach of a rule, where it is and what is wrong. */
export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly what: string;
}

/** A rule of the architecture that text alone can judge. */
export interface LayerRule {
  readonly name: string;
  check(tree: SourceTree): Violation[];
}
