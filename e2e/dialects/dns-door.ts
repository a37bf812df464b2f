import { Resolver } from 'node:dns/promises';
import type { Door, Seen } from './door.ts';

/** The runtime's own resolver (c-ares), sent to our port. An instance that is not routable is not there. */
export function dnsDoor(address: string): Door {
  const resolver = new Resolver({ timeout: 5_000, tries: 1 });
  resolver.setServers([address]);
  return {
    name: 'dns',
    async read(service) {
      const name = `${service}.service.portolan`;
      const [texts, targets] = await Promise.all([
        resolver.resolveTxt(name).catch(noneWhenUnknown),
        resolver.resolveSrv(name).catch(noneWhenUnknown),
      ]);
      const seen: Seen[] = [];
      for (const text of texts) {
        const words = new Map(
          text.map((word) => {
            const at = word.indexOf('=');
            return [word.slice(0, at), word.slice(at + 1)] as const;
          }),
        );
        const { id, port, weight, ...labels } = Object.fromEntries(words);
        const target = targets.find((one) => `${one.port}` === port);
        if (!target) throw new Error(`${id} has a text and no target`);
        const [address4] = await resolver.resolve4(target.name);
        if (`${target.weight}` !== weight) throw new Error(`${id} has two weights`);
        seen.push({
          id,
          address: address4,
          port: target.port,
          weight: target.weight,
          labels,
          zone: labels.zone,
          routable: true,
        });
      }
      return seen;
    },
  };
}

function noneWhenUnknown(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENOTFOUND' || error.code === 'ENODATA') return [];
  throw error;
}
