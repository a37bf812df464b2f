import type { CheckInput, Condition, ProvidedInstance, ServiceKey } from '@portolan/core';
import type { ChosenAddress } from '../address/choose-address.ts';
import type { CheckWish, ServiceWish } from '../labels/wish.ts';

export interface InstanceParts {
  readonly wish: ServiceWish;
  readonly service: ServiceKey;
  readonly id: string;
  readonly chosen: ChosenAddress;
  /** Port inside the container. */
  readonly port: number;
  readonly condition?: Condition | undefined;
  /** What is always told of it: container, image. */
  readonly about: Readonly<Record<string, string>>;
}

const LABEL_BYTES = 512;

/** The registration of one service of one container. */
export function toInstance(parts: InstanceParts): ProvidedInstance {
  const { wish, chosen, condition, about } = parts;
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(about)) metadata[name] = value.slice(0, LABEL_BYTES);
  return {
    service: parts.service,
    id: parts.id,
    address: chosen.address,
    port: chosen.port,
    tags: wish.tags ?? [],
    metadata: {
      ...metadata,
      canary: wish.canary === undefined ? 'false' : 'true',
      ...wish.metadata,
    },
    ...(wish.weight === undefined ? {} : { weight: wish.weight }),
    lease: 'none',
    checks: toChecks(wish.check ?? { kind: 'tcp' }, parts),
    ...(condition === undefined ? {} : { condition }),
  };
}

/** Always one of our own, unless a label asks for none: a HEALTHCHECK may take a minute and a half to notice. */
function toChecks(check: CheckWish, { chosen, port }: InstanceParts): readonly CheckInput[] {
  if (check.kind === 'none') return [];
  const { kind, path = '', port: own, method = 'GET', ...schedule } = check;
  const host = chosen.address;
  // Another port of the container stands at the same address only where ports are not mapped.
  const at = own === undefined || own === port ? chosen.port : own;
  switch (kind) {
    case 'http':
    case 'https': {
      const authority = host.includes(':') ? `[${host}]:${at}` : `${host}:${at}`;
      return [
        {
          id: 'docker-http',
          probe: {
            kind: 'http',
            url: `${kind}://${authority}${path}`,
            method,
            headers: {},
            expectStatus: [{ from: 200, to: 299 }],
            skipTlsVerify: false,
          },
          ...schedule,
        },
      ];
    }
    case 'grpc':
      return [
        {
          id: 'docker-grpc',
          probe: { kind: 'grpc', host, port: at, service: path, tls: false },
          ...schedule,
        },
      ];
    case 'tcp':
      return [{ id: 'docker-tcp', probe: { kind: 'tcp', host, port: at }, ...schedule }];
  }
}

/** A name as the registry takes it. */
export function toServiceName(text: string): string {
  return text
    .replace(/[^A-Za-z0-9._:-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 128)
    .replace(/[^A-Za-z0-9]+$/, '');
}
