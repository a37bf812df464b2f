import type { Client, ClientUnaryCall, ServiceError } from '@grpc/grpc-js';
import type { GrpcProbeConfig, HealthProbe } from '@portolan/core';
import { findDialTarget, formatEndpoint } from './dial-target.ts';
import {
  fromHealthCheckResponse,
  type ServingStatus,
  toHealthCheckRequest,
} from './grpc-health-message.ts';
import type { ProbeDeps } from './probe-deps.ts';
import { critical, type ProbeVerdict, passing, timed } from './probe-verdict.ts';

const METHOD = '/grpc.health.v1.Health/Check';

type Grpc = typeof import('@grpc/grpc-js');

/** The standard health protocol, on a connection of its own that is closed afterwards. */
export function createGrpcProbe(deps: ProbeDeps): HealthProbe<GrpcProbeConfig> {
  return {
    kind: 'grpc',
    check: (_target, config, signal) =>
      timed(deps.clock, async () => {
        const target = await findDialTarget(config.host, config.port, deps, signal);
        if (!target.ok) return critical(target.reason);
        // Whoever has no grpc check does not pay for the library.
        const grpc = await import('@grpc/grpc-js');
        const client = openClient(grpc, config, target.ip);
        try {
          return await askHealth(grpc, client, config, target.shown, signal);
        } finally {
          client.close();
        }
      }),
  };
}

function openClient(grpc: Grpc, config: GrpcProbeConfig, ip: string): Client {
  const scheme = ip.includes(':') ? 'ipv6' : 'ipv4';
  const credentials = config.tls ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
  return new grpc.Client(`${scheme}:${formatEndpoint(ip, config.port)}`, credentials, {
    'grpc.default_authority': formatEndpoint(config.host, config.port),
    // Without this the resolved address, not the name, would be what the certificate is compared with.
    ...(config.tls ? { 'grpc.ssl_target_name_override': config.host } : {}),
    'grpc.enable_retries': 0,
    // A proxy from the environment would see what only the policy may decide.
    'grpc.enable_http_proxy': 0,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config_disable_resolution': 1,
    'grpc.max_receive_message_length': 1_024,
    'grpc.max_metadata_size': 16_384,
  });
}

function askHealth(
  grpc: Grpc,
  client: Client,
  config: GrpcProbeConfig,
  shown: string,
  signal: AbortSignal,
): Promise<ProbeVerdict> {
  return new Promise((resolve) => {
    const late = critical(`no answer from ${shown} in time`);
    if (signal.aborted) return resolve(late);
    const call: ClientUnaryCall = client.makeUnaryRequest(
      METHOD,
      toHealthCheckRequest,
      fromHealthCheckResponse,
      config.service,
      (error: ServiceError | null, status?: ServingStatus) => {
        signal.removeEventListener('abort', onAbort);
        resolve(
          error ? toVerdict(grpc, error, config, shown) : judge(status ?? 'unreadable', config),
        );
      },
    );
    const onAbort = (): void => {
      call.cancel();
      resolve(late);
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

function judge(status: ServingStatus, config: GrpcProbeConfig): ProbeVerdict {
  const subject = config.service === '' ? 'the server' : `service ${config.service}`;
  if (status === 'SERVING') return passing(`${subject} is SERVING`);
  if (status === 'unreadable') return critical(`${subject} answered no HealthCheckResponse`);
  return critical(`${subject} is ${status}`);
}

function toVerdict(
  grpc: Grpc,
  error: ServiceError,
  config: GrpcProbeConfig,
  shown: string,
): ProbeVerdict {
  const { status } = grpc;
  if (error.code === status.UNIMPLEMENTED) {
    return critical(
      `${shown} does not implement grpc.health.v1.Health (UNIMPLEMENTED): add the health service to the server, or use a tcp check`,
    );
  }
  if (error.code === status.NOT_FOUND) {
    return critical(`${shown} does not know the service "${config.service}" (NOT_FOUND)`);
  }
  if (error.code === status.UNAVAILABLE) return critical(`${shown} is UNAVAILABLE`);
  // The words behind the code come from the instance, so they stay out.
  return critical(`${shown} answered ${status[error.code] ?? error.code}`);
}
