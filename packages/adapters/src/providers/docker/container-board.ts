import type { ContainerReport } from './convert/report.ts';
import type { DockerView } from './docker-provider.ts';

/** What became of an engine's containers, for the API. */
export interface ContainerBoard {
  view(): DockerView;
  /** Why the registry does not hold an instance as it was found; by `namespace/id`, or `route namespace/name`. */
  refusals(): ReadonlyMap<string, string>;
}

/** Containers with that name, or whose id begins so; an exact one is the only one. */
export function findContainers(view: DockerView, wanted: string): readonly ContainerReport[] {
  const exact = view.containers.filter(({ id, name }) => name === wanted || id === wanted);
  // A Swarm service has a line for itself and one for each task.
  if (exact.length > 0) {
    const [first] = exact;
    const tasks = view.containers.filter(
      ({ kind, name }) => kind === 'task' && name.startsWith(`${first?.name}.`),
    );
    return first?.kind === 'service' ? [...new Set([...exact, ...tasks])] : exact;
  }
  if (wanted.length < 3) return [];
  return view.containers.filter(({ id, name }) => id.startsWith(wanted) || name.startsWith(wanted));
}
