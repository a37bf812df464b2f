import Consul from 'consul';

/** The npm package `consul`, as its users get it, pointed at a server's origin. */
export function createConsulClient(origin: string) {
  const { hostname, port } = new URL(origin);
  return new Consul({ host: hostname, port: Number(port) });
}

export type ConsulClient = ReturnType<typeof createConsulClient>;
