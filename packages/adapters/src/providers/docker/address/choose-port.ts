import type { ContainerFacts } from '../facts.ts';

export interface PortChoice {
  /** Port inside the container. */
  readonly port?: number;
  readonly rule: string;
}

/** The port to register when no label names one: the only one exposed, or the lowest of several. */
export function choosePort(container: Pick<ContainerFacts, 'ports'>, wanted?: number): PortChoice {
  if (wanted !== undefined) return { port: wanted, rule: 'label' };
  const exposed = exposedPorts(container);
  const [lowest, ...others] = exposed;
  if (lowest === undefined) {
    return { rule: 'no port is exposed: say which one by the label portolan.port' };
  }
  const rule =
    others.length === 0 ? 'the only exposed port' : `the lowest of ${exposed.join(', ')}`;
  return { port: lowest, rule };
}

/** TCP ports that the image or the container exposes, lowest first. */
export function exposedPorts({ ports }: Pick<ContainerFacts, 'ports'>): readonly number[] {
  return ports.filter(({ protocol }) => protocol === 'tcp').map(({ port }) => port);
}
