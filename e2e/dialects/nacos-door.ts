import type { Door } from './door.ts';

interface ServiceInfo {
  readonly reachProtectionThreshold: boolean;
  readonly hosts: readonly {
    readonly ip: string;
    readonly port: number;
    readonly weight: number;
    readonly healthy: boolean;
    readonly clusterName: string;
    readonly metadata: Readonly<Record<string, string>>;
  }[];
}

/** Nacos' HTTP API, first version. Its cluster is the zone, and its weights are hundredths of ours. */
export function nacosDoor(control: string): Door {
  const ask = async (method: string, path: string, parameters: Record<string, string>) => {
    const query = new URLSearchParams(parameters);
    const answer = await fetch(`${control}/nacos/v1/ns/${path}?${query}`, { method });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text;
  };
  return {
    name: 'nacos',
    async read(service) {
      const text = await ask('GET', 'instance/list', { serviceName: service });
      const { hosts, reachProtectionThreshold } = JSON.parse(text) as ServiceInfo;
      return hosts.map(({ metadata, ...one }) => {
        const { tags: _tags, ...labels } = metadata;
        return {
          address: one.ip,
          port: one.port,
          weight: Math.round(one.weight * 100),
          labels,
          zone: one.clusterName,
          // With nothing healthy, Nacos gives out all as if they were, and says so.
          routable: one.healthy && !reachProtectionThreshold,
        };
      });
    },
    async register({ service, address, port, weight, metadata }) {
      const { zone = 'DEFAULT', ...rest } = metadata;
      await ask('POST', 'instance', {
        ...{ serviceName: service, ip: address, port: String(port), weight: String(weight / 100) },
        ...{ clusterName: zone, metadata: JSON.stringify(rest) },
      });
    },
    async deregister({ service, address, port }) {
      await ask('DELETE', 'instance', { serviceName: service, ip: address, port: String(port) });
    },
    // As its console does: an update is whole, and a weight that it leaves out is 1.
    async setMaintenance({ service, address, port, weight, metadata }, on) {
      await ask('PUT', 'instance', {
        ...{ serviceName: service, ip: address, port: String(port), enabled: String(!on) },
        ...{ weight: String(weight / 100), clusterName: metadata.zone ?? 'DEFAULT' },
      });
    },
    async report({ service, address, port }, status) {
      await ask('PUT', 'health/instance', {
        ...{ serviceName: service, ip: address, port: String(port) },
        healthy: String(status === 'passing'),
      });
    },
  };
}
