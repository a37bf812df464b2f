import { createConsulClient } from '../clients/consul.ts';
import type { Door } from './door.ts';

interface Entry {
  readonly Service: {
    readonly ID: string;
    readonly Address: string;
    readonly Port: number;
    readonly Tags: readonly string[];
    readonly Meta: Readonly<Record<string, string>>;
    readonly Weights: { readonly Passing: number };
  };
  readonly Checks: readonly { readonly CheckID: string; readonly Status: string }[];
}

const ORDER = ['passing', 'warning', 'critical'];

/** The npm client of Consul. */
export function consulDoor(control: string): Door {
  const consul = createConsulClient(control);
  return {
    name: 'consul',
    async read(service) {
      const entries = (await consul.health.service({ service })) as Entry[];
      return entries.map(({ Service, Checks }) => {
        const own = Checks.filter(
          ({ CheckID }) => CheckID !== 'serfHealth' && !CheckID.startsWith('_service_maintenance'),
        );
        const worst = Math.max(0, ...own.map(({ Status }) => ORDER.indexOf(Status)));
        return {
          id: Service.ID,
          address: Service.Address,
          port: Service.Port,
          weight: Service.Weights.Passing * 100,
          tags: Service.Tags,
          metadata: Service.Meta,
          zone: Service.Meta.zone,
          status: ORDER[worst],
          maintenance: Checks.some(({ CheckID }) => CheckID.startsWith('_service_maintenance')),
        };
      });
    },
    async register({ id, service, address, port, weight, tags, metadata }) {
      // By hand: the client does not pass weights on.
      const answer = await fetch(`${control}/v1/agent/service/register`, {
        method: 'PUT',
        body: JSON.stringify({
          ID: id,
          Name: service,
          Address: address,
          Port: port,
          Tags: tags,
          Meta: metadata,
          Weights: { Passing: weight / 100, Warning: 1 },
          Check: { TTL: '1h', Status: 'passing' },
        }),
      });
      if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    },
    async deregister({ id }) {
      await consul.agent.service.deregister(id);
    },
    async setMaintenance({ id }, enable) {
      await consul.agent.service.maintenance({ id, enable, reason: 'table' });
    },
  };
}
