import type { Door, Sample } from './door.ts';

interface EurekaInstance {
  readonly instanceId: string;
  readonly ipAddr: string;
  readonly port: { readonly $: number };
  readonly status: string;
  readonly overriddenStatus: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** As Spring Cloud's client speaks. A weight travels as metadata, and so do tags, which are not compared. */
export function eurekaDoor(control: string): Door {
  const ask = async (method: string, path: string, body?: object): Promise<Response> => {
    const answer = await fetch(`${control}/eureka/apps/${path}`, {
      method,
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (answer.ok || (method === 'GET' && answer.status === 404)) return answer;
    throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
  const register = async (sample: Sample, status: 'UP' | 'DOWN'): Promise<void> => {
    const { service, id, address, port, weight, metadata } = sample;
    const instance = {
      ...{ instanceId: id, app: service, hostName: address, ipAddr: address, status },
      port: { $: port, '@enabled': 'true' },
      dataCenterInfo: { name: 'MyOwn' },
      metadata: { ...metadata, weight: String(weight) },
    };
    await ask('POST', service.toUpperCase(), { instance });
  };
  return {
    name: 'eureka',
    async read(service) {
      const answer = await ask('GET', service.toUpperCase());
      if (answer.status === 404) return [];
      const { application } = (await answer.json()) as {
        application: { instance: readonly EurekaInstance[] };
      };
      return application.instance.map(({ metadata, ...one }) => {
        const { weight = '100', tags: _tags, '@class': _class, ...labels } = metadata;
        return {
          id: one.instanceId,
          address: one.ipAddr,
          port: one.port.$,
          weight: Number(weight),
          labels,
          zone: labels.zone,
          maintenance: one.overriddenStatus !== 'UNKNOWN',
          routable: one.status === 'UP',
        };
      });
    },
    register: (sample) => register(sample, 'UP'),
    // A client that has another status registers anew.
    report: (sample, status) => register(sample, status === 'passing' ? 'UP' : 'DOWN'),
    async deregister({ service, id }) {
      await ask('DELETE', `${service.toUpperCase()}/${id}`);
    },
    async setMaintenance({ service, id }, on) {
      const path = `${service.toUpperCase()}/${id}/status`;
      await (on ? ask('PUT', `${path}?value=OUT_OF_SERVICE`) : ask('DELETE', path));
    },
  };
}
