import { call } from '../support/registry-api.ts';
import type { Door } from './door.ts';

export function restDoor(control: string): Door {
  const ask = async (method: string, path: string, body?: unknown) => {
    const answer = await call(control, method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  return {
    name: 'rest',
    async read(service) {
      const view = await ask('GET', `/api/v1/services/${service}/instances`);
      return view.instances.map((one: Record<string, unknown>) => ({
        id: one.id,
        address: one.address,
        port: one.port,
        weight: one.effectiveWeight,
        tags: one.tags,
        metadata: one.metadata,
        labels: one.labels,
        zone: (one.labels as Record<string, string>).zone,
        status: one.status,
        maintenance: (one.intent as { maintenance: unknown }).maintenance !== null,
        routable: one.routable,
      }));
    },
    register: (sample) => ask('POST', '/register', { ...sample, lease: 'none' }),
    deregister: ({ id }) => ask('DELETE', `/register/${id}`),
    report: ({ id }, status) => ask('PUT', `/api/v1/instances/${id}/heartbeat`, { status }),
    setMaintenance: ({ id }, enable) =>
      ask('POST', `/api/v1/instances/${id}/maintenance`, { enable, reason: 'table' }),
  };
}
