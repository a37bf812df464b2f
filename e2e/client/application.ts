// An application as its authors would write it: it registers itself, finds the others, and tells over HTTP what it knows.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@portolan/client';

const { REGISTRY = '', SNAPSHOT_DIR = '', NAME = 'app' } = process.env;
const client = createClient({ url: REGISTRY });
const discovery = client.discover('app', { snapshotDir: SNAPSHOT_DIR });

const server = createServer((_request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify({
      state: registration.state,
      stale: discovery.stale,
      known: discovery.instances().map(({ id }) => id),
      pick: discovery.pick()?.id ?? null,
    }),
  );
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
const { port } = server.address() as AddressInfo;
const registration = client.register(
  { service: 'app', address: '127.0.0.1', port, id: NAME, ttl: '3s' },
  { handleSignals: true, drainMs: 500 },
);
registration.on('registered', () => process.stdout.write('registered\n'));
registration.on('drained', () => process.stdout.write('drained\n'));
process.stdout.write(`port ${port}\n`);
