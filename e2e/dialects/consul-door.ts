import { createConsulClient } from '../clients/consul.ts';
import type { Door } from './door.ts';

interface Entry {
  readonly Node: { readonly Meta: Readonly<Record<string, string>> };
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

const VERBS = { passing: 'pass', warning: 'warn', critical: 'fail' } as const;
/** Consul's weight 1 is 100. */
const WEIGHT_SCALE = 100;

/** The npm client, and plain requests for the weights that it does not know. */
export function consulDoor(control: string): Door {
  const consul = createConsulClient(control);
  const put = async (path: string, body: object): Promise<void> => {
    const sent = { method: 'PUT', body: JSON.stringify(body) };
    const answer = await fetch(`${control}/v1/${path}`, sent);
    if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status} ${await answer.text()}`);
  };
  return {
    name: 'consul',
    async read(service) {
      const entries = (await consul.health.service(service)) as Entry[];
      return entries.map(({ Node, Service, Checks }) => {
        const isMaintained = ({ CheckID }: { CheckID: string }): boolean =>
          CheckID.startsWith('_service_maintenance:');
        const own = Checks.filter((check) => !isMaintained(check)).map(({ Status }) => Status);
        const status = ['critical', 'warning'].find((each) => own.includes(each)) ?? 'passing';
        const maintenance = Checks.some(isMaintained);
        return {
          id: Service.ID,
          address: Service.Address,
          port: Service.Port,
          weight: Service.Weights.Passing * WEIGHT_SCALE,
          tags: Service.Tags,
          metadata: Service.Meta,
          zone: Node.Meta.zone,
          status,
          maintenance,
          routable: status !== 'critical' && !maintenance,
        };
      });
    },
    register: ({ id, service, address, port, weight, tags, metadata }) =>
      put('agent/service/register', {
        ID: id,
        Name: service,
        Address: address,
        Port: port,
        Tags: tags,
        Meta: metadata,
        Weights: { Passing: weight / WEIGHT_SCALE, Warning: 1 },
        Check: { TTL: '10m', Status: 'passing' },
      }),
    deregister: ({ id }) => consul.agent.service.deregister(id),
    async report({ id }, status) {
      const said = () => consul.agent.check[VERBS[status]](`service:${id}`);
      try {
        await said();
      } catch (error) {
        if ((error as { statusCode?: number }).statusCode !== 404) throw error;
        // Who registered it gave it no check to report by.
        await put('agent/check/register', { CheckID: `service:${id}`, ServiceID: id, TTL: '10m' });
        await said();
      }
    },
    setMaintenance: ({ id }, enable) =>
      consul.agent.service.maintenance({ id, enable, reason: 'table' }),
  };
}
