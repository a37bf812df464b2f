import { formatOrigin, type Origin } from './config-node.ts';

/** One thing that is wrong with the configuration, and where it was said. */
export interface ConfigProblem {
  readonly origin: Origin;
  /** `control.listen`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

/** `portolan.yaml:3:5: control.listen: expected …`. */
export function formatProblem(problem: ConfigProblem): string {
  const where = problem.origin.kind === 'default' ? '' : `${formatOrigin(problem.origin)}: `;
  return `${where}${problem.path === '' ? '' : `${problem.path}: `}${problem.message}`;
}
