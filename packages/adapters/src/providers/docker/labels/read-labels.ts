import { readPortolanLabels } from './portolan-labels.ts';
import { readRegistratorLabels } from './registrator-labels.ts';
import { readTraefikLabels } from './traefik-labels.ts';
import type { LabelWishes, ServiceWish } from './wish.ts';

const NOTHING: LabelWishes = {
  exposed: 'default',
  by: 'no label',
  networks: [],
  virtualIp: false,
  services: [{}],
  eachPort: false,
  problems: [],
  notes: [],
};

/**
 * Everything the labels and the environment ask for. Native labels win over Traefik's, and those over Registrator's: what the
 * stronger one does not say, the next one may. Label names are compared without regard to case, as Traefik does.
 */
export function readLabels(
  labels: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>>,
): LabelWishes {
  const lower = new Map(Object.entries(labels).map(([name, value]) => [name.toLowerCase(), value]));
  const said = [
    readPortolanLabels(lower),
    readTraefikLabels(lower),
    readRegistratorLabels(lower, environment),
  ].filter((wishes) => wishes !== undefined);
  const [first = NOTHING, ...others] = said;
  return others.reduce(fill, first);
}

function fill(strong: LabelWishes, weak: LabelWishes): LabelWishes {
  const address = strong.address ?? weak.address;
  return {
    exposed: strong.exposed === 'default' ? weak.exposed : strong.exposed,
    by: strong.exposed === 'default' ? weak.by : strong.by,
    networks: strong.networks.length > 0 ? strong.networks : weak.networks,
    ...(address === undefined ? {} : { address }),
    virtualIp: strong.virtualIp || weak.virtualIp,
    services: fillServices(strong.services, weak),
    eachPort: strong.eachPort || (weak.eachPort && saysNothing(strong.services)),
    problems: [...strong.problems, ...weak.problems],
    notes: [...strong.notes, ...weak.notes],
  };
}

function fillServices(strong: readonly ServiceWish[], weak: LabelWishes): readonly ServiceWish[] {
  if (strong.length !== 1 || weak.services.length !== 1) {
    return saysNothing(strong) ? weak.services : strong;
  }
  const [own = {}] = strong;
  const [other = {}] = weak.services;
  return [{ ...other, ...own, metadata: { ...other.metadata, ...own.metadata } }];
}

function saysNothing(services: readonly ServiceWish[]): boolean {
  return services.every(({ metadata = {}, routes = [], ...rest }) => {
    return Object.keys(metadata).length + routes.length + Object.keys(rest).length === 0;
  });
}
