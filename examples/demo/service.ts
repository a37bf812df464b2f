/** A small real HTTP service that registers itself: `node service.ts NAME VERSION REGISTRY_URL`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@portolan/client';

const [name = '', version = '', registryUrl = ''] = process.argv.slice(2);

const server = createServer((request, reply) => {
  reply.setHeader('x-served-by', name);
  reply.setHeader('x-version', version);
  reply.end(request.url === '/health' ? 'ok' : `${name} ${version}\n`);
});
server.keepAliveTimeout = 30_000;
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address() as AddressInfo;
  const registration = createClient({ url: registryUrl }).register(
    {
      service: 'hello',
      id: name,
      address: '127.0.0.1',
      port,
      metadata: { version },
      lease: 'fast',
      checks: [
        { http: `http://127.0.0.1:${port}/health`, interval: '500ms', timeout: '400ms', fall: 2 },
      ],
    },
    { handleSignals: true, drainMs: 200 },
  );
  await registration.ready;
  console.log(`registered ${port}`);
});
