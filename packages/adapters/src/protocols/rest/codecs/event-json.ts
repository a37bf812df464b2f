import type {
  RegistryEvent,
  ServiceKey,
  StoredServiceSettings,
  StoredTrafficPolicy,
} from '@portolan/core';
import { toInstanceJson } from './instance-json.ts';
import { toRouteJson } from './route-json.ts';

/** An event as the API answers it and as webhooks carry it. */
export function toEventJson(event: RegistryEvent) {
  const head = {
    type: event.type,
    revision: event.revision,
    at: new Date(event.atMs).toISOString(),
  };
  switch (event.type) {
    case 'instance-registered':
    case 'instance-updated':
    case 'instance-intent':
      return { ...head, instance: toInstanceJson(event.instance) };
    case 'instance-status':
      return { ...head, instance: toInstanceJson(event.instance), previous: event.previous };
    case 'instance-deregistered':
      return { ...head, instance: toInstanceJson(event.instance), reason: event.reason };
    case 'protection-entered':
      return { ...head, ...toServiceJson(event.service), kept: event.kept };
    case 'protection-left':
      return { ...head, ...toServiceJson(event.service) };
    case 'route-put':
      return { ...head, route: toRouteJson(event.route) };
    case 'route-deleted':
      return { ...head, namespace: event.namespace, name: event.name };
    case 'policy-put':
      return { ...head, ...toServiceJson(policyService(event.policy)) };
    case 'policy-deleted':
      return { ...head, ...toServiceJson(event.service) };
    case 'settings-put':
      return {
        ...head,
        ...toServiceJson(settingsService(event.settings)),
        exclusive: event.settings.exclusive,
      };
    case 'settings-deleted':
      return { ...head, ...toServiceJson(event.service) };
    case 'active-changed':
      return {
        ...head,
        ...toServiceJson(event.service),
        active: event.active ?? null,
        previous: event.previous ?? null,
        reason: event.reason,
      };
    case 'namespace-put':
    case 'namespace-deleted':
      return { ...head, name: event.name };
  }
}

function settingsService(settings: StoredServiceSettings): ServiceKey {
  return { namespace: settings.namespace, group: settings.group, name: settings.service };
}

function policyService(policy: StoredTrafficPolicy): ServiceKey {
  return { namespace: policy.namespace, group: policy.group, name: policy.service };
}

function toServiceJson(service: ServiceKey) {
  return { service: service.name, namespace: service.namespace, group: service.group };
}

/** The service an event is about; undefined for routes and namespaces. */
export function serviceOfEvent(event: RegistryEvent): ServiceKey | undefined {
  if ('instance' in event) return event.instance.service;
  if (event.type === 'policy-put') return policyService(event.policy);
  if (event.type === 'settings-put') return settingsService(event.settings);
  return 'service' in event ? event.service : undefined;
}

/** The namespace an event happened in. */
export function namespaceOfEvent(event: RegistryEvent): string {
  switch (event.type) {
    case 'route-put':
      return event.route.namespace;
    case 'route-deleted':
      return event.namespace;
    case 'namespace-put':
    case 'namespace-deleted':
      return event.name;
    default:
      return serviceOfEvent(event)?.namespace ?? '';
  }
}
