import { requestBytes } from './http-load.ts';

/** The `index`th registration of a fleet of `size`: a hundred a service, whole sets of new services when there are more of them. */
export function registration(index: number, size: number, name = 'service'): object {
  const services = Math.max(1, Math.floor(size / 100));
  return {
    service: `${name}-${Math.floor(index / (services * 100))}-${index % services}`,
    id: `${name === 'service' ? 'i' : name}-${index}`,
    address: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
    port: 8080,
    tags: ['version:v1', 'region:eu'],
    metadata: { start: '1763900000', weight: '100' },
    ttl: 3600,
  };
}

/** Heartbeats of all of a fleet: a run of neighbours a request, as those of a node are. */
export function heartbeatBatches(host: string, size: number, perRequest: number): Buffer[] {
  return Array.from({ length: Math.ceil(size / perRequest) }, (_, at) => {
    const ids = Array.from({ length: perRequest }, (__, k) => `i-${(at * perRequest + k) % size}`);
    return requestBytes('POST', '/api/v1/instances/heartbeat', host, { ids });
  });
}
