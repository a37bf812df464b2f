import type { GrpcRegistry } from '../support/grpc-registry.ts';
import type { Door } from './door.ts';

export function grpcDoor(grpc: GrpcRegistry): Door {
  return {
    name: 'grpc',
    async read(service) {
      const messages = await grpc.list('ListInstances', { service });
      return messages
        .flatMap(({ instances }) => instances)
        .map((one) => ({
          id: one.id,
          address: one.address,
          port: one.port,
          weight: one.effectiveWeight,
          tags: one.tags,
          metadata: one.metadata,
          labels: one.labels,
          zone: one.labels.zone,
          status: one.status.replace('STATUS_', '').toLowerCase(),
          maintenance: one.intent.maintenance !== null,
          routable: one.routable,
        }));
    },
    async register(sample) {
      const registration = { ...sample, leaseProfile: 'LEASE_PROFILE_NONE' };
      await grpc.call('Register', { registration });
    },
    async deregister({ id }) {
      await grpc.call('Deregister', { id });
    },
    async report({ id }, status) {
      await grpc.call('Report', { id, status: `STATUS_${status.toUpperCase()}` });
    },
    async setMaintenance({ id }, on) {
      const change = on ? { maintenance: { reason: 'table' } } : { clearMaintenance: true };
      await grpc.call('SetIntent', { id, ...change });
    },
  };
}
