import {
  type Problem,
  RegistryError,
  type Route,
  type ServiceSettings,
  serviceId,
  type TrafficPolicy,
  type Webhook,
} from '@portolan/core';

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/;
const HOST = /^(?:\*\.)?[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$|^\[[0-9a-f:.]+\]$/;

/** Throws `VALIDATION_FAILED` naming every part of a route that cannot work. */
export function validateRoute(name: string, route: Route): void {
  const problems: Problem[] = [];
  const bad = (path: string, expected: string, found: unknown): void => {
    problems.push({ path, expected, found: String(found).slice(0, 64) });
  };
  if (`${route.namespace}/${route.name}` !== name || !NAME.test(route.name)) {
    bad('$.name', '1 to 128 letters, digits or one of . _ -', route.name);
  }
  for (const [at, host] of route.hosts.entries()) {
    if (!HOST.test(host)) bad(`$.hosts[${at}]`, 'a lower-case host name, or *.suffix', host);
  }
  for (const [at, { path }] of route.matches.entries()) {
    const text = path && 'regex' in path ? undefined : path && Object.values(path)[0];
    if (text !== undefined && !text.startsWith('/')) {
      bad(`$.match[${at}].path`, 'a path beginning with /', text);
    }
  }
  const endsHere = route.redirect !== undefined || route.answer !== undefined;
  if (route.destinations.length === 0 && !endsHere) {
    bad('$.to', 'at least one destination', 'none');
  }
  if (route.destinations.length > 0 && endsHere) {
    bad('$.to', 'no destination beside a redirect or an answer', route.destinations.length);
  }
  for (const [at, { service, weight }] of route.destinations.entries()) {
    if (service === '') bad(`$.to[${at}].service`, 'the name of a service', service);
    if (!Number.isInteger(weight) || weight < 0 || weight > 1_000_000) {
      bad(`$.to[${at}].weight`, 'a whole number from 0 to 1000000', weight);
    }
  }
  if (route.destinations.length > 0 && route.destinations.every(({ weight }) => weight === 0)) {
    bad('$.to', 'a weight above 0 somewhere', 'all are 0');
  }
  refuse(problems, `Route "${route.name}"`);
}

/** Throws `VALIDATION_FAILED` for a policy that is not its service's. */
export function validatePolicy(id: string, policy: TrafficPolicy): void {
  const { namespace, group, service } = policy;
  if (serviceId({ namespace, group, name: service }) === id) return;
  refuse([{ path: '$.service', expected: id, found: service }], `Traffic policy "${id}"`);
}

/** Throws `VALIDATION_FAILED` for settings that are not their service's. */
export function validateSettings(id: string, settings: ServiceSettings): void {
  const { namespace, group, service } = settings;
  if (serviceId({ namespace, group, name: service }) === id) return;
  refuse([{ path: '$.service', expected: id, found: service }], `Settings "${id}"`);
}

/** Throws `VALIDATION_FAILED` for a webhook that could not be called or signed. */
export function validateWebhook(id: string, webhook: Webhook): void {
  const problems: Problem[] = [];
  if (webhook.id !== id || !NAME.test(id)) {
    problems.push({
      path: '$.id',
      expected: '1 to 128 letters, digits or one of . _ -',
      found: id,
    });
  }
  if (!/^https?:\/\/[^\s/@#]+[^\s#]*$/.test(webhook.url)) {
    problems.push({ path: '$.url', expected: 'an http or https URL without credentials' });
  }
  if (webhook.secret === '') problems.push({ path: '$.secret', expected: 'a secret that signs' });
  refuse(problems, `Webhook "${id}"`);
}

function refuse(problems: readonly Problem[], what: string): void {
  const [first] = problems;
  if (!first) return;
  throw new RegistryError('VALIDATION_FAILED', {
    detail: `${what}: ${first.path} has to be ${first.expected}. Nothing was changed.`,
    problems,
  });
}
