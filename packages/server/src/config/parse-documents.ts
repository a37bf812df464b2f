import {
  type Problem,
  type RegistrationInput,
  type Route,
  serviceId,
  type TrafficPolicy,
} from '@portolan/core';
import { type ConfigNode, type ConfigPath, formatPath, originAt } from './config-node.ts';
import type { ConfigProblem } from './config-problem.ts';
import type { PortolanConfig } from './schema.ts';

/** The operator's own services, routes and policies, checked and complete. */
export interface ConfigDocuments {
  readonly services: readonly RegistrationInput[];
  readonly routes: readonly Route[];
  readonly policies: readonly TrafficPolicy[];
}

const NONE: ConfigDocuments = { services: [], routes: [], policies: [] };

/** Reads `services`, `routes` and `policies` with the code that reads the API's bodies; problems name the line in the file. */
export async function parseDocuments(
  config: PortolanConfig,
  merged: ConfigNode,
): Promise<{ readonly documents: ConfigDocuments; readonly problems: readonly ConfigProblem[] }> {
  if (config.services.length + config.routes.length + config.policies.length === 0) {
    return { documents: NONE, problems: [] };
  }
  const { fromJsonPath, parsePolicyDocument, parseRegistrationDocument, parseRouteDocument } =
    await import('@portolan/adapters');
  const problems: ConfigProblem[] = [];
  const complain = (path: ConfigPath, message: string): void => {
    problems.push({ origin: originAt(merged, path), path: formatPath(path), message });
  };
  const complainAll = (root: ConfigPath, found: readonly Problem[]): void => {
    for (const problem of found) {
      const seen = problem.found === undefined ? '' : `, found ${problem.found}`;
      complain([...root, ...fromJsonPath(problem.path)], `expected ${problem.expected}${seen}`);
    }
  };
  const services: RegistrationInput[] = [];
  for (const [at, document] of config.services.entries()) {
    const parsed = parseRegistrationDocument(document, { scripts: config.checks.scripts });
    if (!parsed.ok) complainAll(['services', at], parsed.problems);
    // What the operator wrote down lives until the operator removes it.
    else services.push({ lease: 'none', ...parsed.value });
  }
  const routes: Route[] = [];
  for (const [at, document] of config.routes.entries()) {
    const parsed = parseRouteDocument(document);
    if (!parsed.ok) complainAll(['routes', at], parsed.problems);
    else routes.push(parsed.value);
  }
  const policies: TrafficPolicy[] = [];
  for (const [at, document] of config.policies.entries()) {
    const parsed = parsePolicyDocument(document);
    if (!parsed.ok) complainAll(['policies', at], parsed.problems);
    else policies.push(parsed.value);
  }
  const complainTwice = (root: string, keys: readonly string[], what: string): void => {
    for (const [at, key] of keys.entries()) {
      if (keys.indexOf(key) < at) complain([root, at], `the same ${what} as further up`);
    }
  };
  if (problems.length === 0) {
    complainTwice('services', services.map(instanceKey), 'id');
    complainTwice('routes', routes.map(routeKey), 'name');
    complainTwice('policies', policies.map(policyKey), 'service');
  }
  return { documents: { services, routes, policies }, problems };
}

/** `namespace/name`, as the registry keys its routes. */
export function routeKey(route: Pick<Route, 'namespace' | 'name'>): string {
  return `${route.namespace}/${route.name}`;
}

/** The service's id, as the registry keys its policies. */
export function policyKey(policy: TrafficPolicy): string {
  const { namespace, group, service } = policy;
  return serviceId({ namespace, group, name: service });
}

/** What is unique among instances: namespace and id, the registry's default one if there is none. */
export function instanceKey(input: RegistrationInput): string {
  const id = input.id ?? `${input.service.name}-${input.address}-${input.port}`;
  return `${input.service.namespace}/${id}`;
}
