// A service as anybody would write it: it serves, and keeps itself registered.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@portolan/client';

const { DEMO_NAME = 'v1-a', DEMO_VERSION = 'v1', DEMO_REGISTRY = '' } = process.env;

const server = createServer((request, response) => {
  response.setHeader('x-served-by', DEMO_NAME);
  response.setHeader('x-version', DEMO_VERSION);
  response.end(request.url === '/health' ? 'ok\n' : `${DEMO_NAME}\n`);
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  createClient({ url: DEMO_REGISTRY }).register(
    {
      service: 'shop',
      id: DEMO_NAME,
      address: '127.0.0.1',
      port,
      tags: [`version:${DEMO_VERSION}`],
      lease: 'fast',
      checks: [
        { http: `http://127.0.0.1:${port}/health`, interval: '500ms', timeout: '400ms', fall: 2 },
      ],
    },
    { handleSignals: true, drainMs: 100 },
  );
});
