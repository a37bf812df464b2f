import type { RouteMatch } from '@portolan/core';
import { LabelReader } from './label-reader.ts';
import { parseTraefikRule, RuleError } from './traefik-rule.ts';
import type { CheckWish, LabelWishes, RouteWish, ServiceWish } from './wish.ts';

/** Reads Traefik's labels, as far as they say what a route and a service are; undefined when there is none. */
export function readTraefikLabels(labels: ReadonlyMap<string, string>): LabelWishes | undefined {
  const own = [...labels.keys()].filter((name) => name.startsWith('traefik.'));
  if (own.length === 0) return undefined;
  const reader = new LabelReader(labels);
  const notes: string[] = [];
  const routers = namesOf(own, 'traefik.http.routers.');
  const services = namesOf(own, 'traefik.http.services.');
  if (own.some((name) => name.startsWith('traefik.http.middlewares.'))) {
    notes.push('traefik middlewares are not applied');
  }
  if (own.some((name) => /^traefik\.(?:tcp|udp)\./.test(name))) {
    notes.push('traefik.tcp and traefik.udp are not read: see gateway.listeners');
  }
  const routes = new Map<string, RouteWish[]>();
  for (const router of routers) {
    const at = `traefik.http.routers.${router}.`;
    const target = reader.text(`${at}service`)?.replace(/@.*$/, '') ?? soleName(services);
    if (target !== '' && !services.includes(target)) {
      notes.push(`router ${router} leads to ${target}, which is not a service of this container`);
      continue;
    }
    const rule = reader.text(`${at}rule`);
    if (rule === undefined) continue;
    const priority = reader.whole(`${at}priority`, 0, 1_000_000);
    try {
      const wishes = toRoutes(rule, priority);
      routes.set(target, [...(routes.get(target) ?? []), ...wishes]);
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      reader.problems.push(`the rule of traefik router ${router} ${error.message}`);
    }
    if (reader.text(`${at}middlewares`) !== undefined && !notes[0]?.includes('middlewares')) {
      notes.push('traefik middlewares are not applied');
    }
  }
  const wishes = services.map((name) => readService(name, reader, routes.get(name) ?? []));
  const loose = routes.get('');
  if (loose !== undefined || wishes.length === 0) {
    wishes.push(loose === undefined ? {} : { routes: loose });
  }
  const enable = reader.flag('traefik.enable');
  const network = reader.text('traefik.docker.network') ?? reader.text('traefik.swarm.network');
  const virtualIp =
    reader.flag('traefik.docker.lbswarm') ?? reader.flag('traefik.swarm.lbswarm') ?? false;
  const isSaid = enable === true || routers.length > 0 || services.length > 0;
  return {
    exposed: enable === false ? 'no' : isSaid ? 'yes' : 'default',
    by: enable === false ? 'traefik.enable=false' : 'traefik labels',
    networks: network === undefined ? [] : [network],
    virtualIp,
    services: wishes,
    eachPort: false,
    problems: reader.problems,
    notes,
  };
}

function toRoutes(rule: string, priority: number | undefined): RouteWish[] {
  const byHosts = new Map<string, { hosts: readonly string[]; matches: RouteMatch[] }>();
  for (const { hosts, match } of parseTraefikRule(rule)) {
    const key = JSON.stringify(hosts);
    const known = byHosts.get(key) ?? { hosts, matches: [] };
    known.matches.push(match);
    byHosts.set(key, known);
  }
  return [...byHosts.values()].map(({ hosts, matches }) => ({
    hosts,
    // A match without a condition holds always: then the others say nothing.
    matches: matches.some((match) => Object.keys(match).length === 0) ? [] : matches,
    ...(priority === undefined ? {} : { priority }),
  }));
}

function readService(name: string, reader: LabelReader, routes: readonly RouteWish[]): ServiceWish {
  const at = `traefik.http.services.${name}.loadbalancer.`;
  const port = reader.port(`${at}server.port`);
  const weight = reader.whole(`${at}server.weight`, 0, 65_535);
  const scheme = reader.text(`${at}server.scheme`)?.toLowerCase();
  if (reader.text(`${at}server.url`) !== undefined) {
    reader.problems.push(`label ${at}server.url is not supported: use portolan.address and .port`);
  }
  if (scheme === 'https') {
    reader.problems.push(`label ${at}server.scheme=https needs a traffic policy with TLS instead`);
  }
  const check = readCheck(`${at}healthcheck.`, reader);
  return {
    service: name,
    ...(port === undefined ? {} : { port }),
    ...(weight === undefined ? {} : { weight }),
    ...(scheme === 'h2c' ? { metadata: { protocol: 'h2' } } : {}),
    ...(check === undefined ? {} : { check }),
    routes,
  };
}

function readCheck(at: string, reader: LabelReader): CheckWish | undefined {
  const path = reader.text(`${at}path`);
  if (path === undefined) return undefined;
  if (!path.startsWith('/')) reader.problems.push(`label ${at}path has to begin with /`);
  const port = reader.port(`${at}port`);
  const intervalMs = reader.durationMs(`${at}interval`);
  const timeoutMs = reader.durationMs(`${at}timeout`);
  return {
    kind: reader.text(`${at}scheme`) === 'https' ? 'https' : 'http',
    path,
    ...(port === undefined ? {} : { port }),
    ...(intervalMs === undefined ? {} : { intervalMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

function namesOf(labels: readonly string[], prefix: string): readonly string[] {
  const names = labels.flatMap((label) =>
    label.startsWith(prefix) ? [label.slice(prefix.length).split('.')[0] ?? ''] : [],
  );
  return [...new Set(names)].filter((name) => name !== '').sort();
}

function soleName(services: readonly string[]): string {
  return services.length === 1 ? (services[0] ?? '') : '';
}
