import type { Balancer, Endpoint, PickContext } from '../ports/balancer.ts';
import { hashText, mixHashes } from './hash-text.ts';

/** Prime, and at least a hundred times the endpoints of most services (Envoy's). */
const TABLE_SIZE = 65_537;

/**
 * Maglev hashing (Eisenbud et al., NSDI 2016, §3.4), weighted: one look-up a pick, shares exact to a hundredth, and a change
 * moves little more than it must.
 */
export function createMaglev(): Balancer {
  let table: readonly Endpoint[] = [];
  let endpoints: readonly Endpoint[] = [];

  return {
    update(next) {
      endpoints = next;
      table = next.length < 2 ? [...next] : fill(next);
    },
    pick({ hash, tried }: PickContext): Endpoint | undefined {
      if (table.length < 2) return table[0];
      const at = mixHashes(hash, 0x9e3779b9) % TABLE_SIZE;
      const found = table[at] as Endpoint;
      if (tried.length === 0 || !tried.includes(found)) return found;
      // The next in the table, so that what an endpoint leaves behind is spread over all others.
      for (let step = 1; step < 64; step++) {
        const candidate = table[(at + step) % TABLE_SIZE] as Endpoint;
        if (!tried.includes(candidate)) return candidate;
      }
      return endpoints.find((endpoint) => !tried.includes(endpoint)) ?? found;
    },
  };
}

function fill(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  // By name, so that gateways with differently ordered lists build the same table.
  const rows = endpoints
    .map((endpoint) => ({ endpoint, name: `${endpoint.address} ${endpoint.port} ${endpoint.id}` }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ endpoint, name }) => ({
      endpoint,
      offset: hashText(name) % TABLE_SIZE,
      skip: (hashText(name, 1) % (TABLE_SIZE - 1)) + 1,
      tried: 0,
      weight: Math.max(1, endpoint.weight),
      target: 0,
    }));
  const heaviest = Math.max(...rows.map(({ weight }) => weight));
  const table = new Array<Endpoint | undefined>(TABLE_SIZE);
  let filled = 0;
  for (let round = 1; filled < TABLE_SIZE; round++) {
    for (const row of rows) {
      // A lighter one sits out rounds, as its weight says.
      if (round * row.weight < row.target) continue;
      row.target += heaviest;
      let at = (row.offset + row.tried * row.skip) % TABLE_SIZE;
      while (table[at] !== undefined) {
        row.tried++;
        at = (row.offset + row.tried * row.skip) % TABLE_SIZE;
      }
      table[at] = row.endpoint;
      row.tried++;
      if (++filled === TABLE_SIZE) break;
    }
  }
  return table as readonly Endpoint[];
}
