import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createConsulClient } from '../clients/consul.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';

let portolan: PortolanProcess | undefined;

afterEach(async () => {
  await portolan?.dispose();
  portolan = undefined;
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === 'object' ? address.port : 0;
}

test('moved to a port of its own, the dialect answers there and no longer on the control port', async () => {
  const port = await freePort();
  portolan = await startPortolan({ env: { PORTOLAN_DIALECTS_CONSUL_LISTEN: `127.0.0.1:${port}` } });
  const consul = createConsulClient(`http://127.0.0.1:${port}`);
  await consul.agent.service.register({ name: 'web', address: '127.0.0.1', port: 9 });
  expect(await consul.catalog.service.list()).toEqual({ web: [] });
  expect((await fetch(`${portolan.control}/v1/status/leader`)).status).toBe(404);
  expect((await fetch(`${portolan.control}/api/v1/instances/web`)).status).toBe(200);
  // What nobody owns is told in the dialect's words there.
  const stray = await fetch(`http://127.0.0.1:${port}/nothing`);
  expect([stray.status, await stray.text()]).toEqual([
    404,
    'Invalid URL path: not a recognized HTTP API endpoint',
  ]);
});

test('switched off, nothing of it is answered', async () => {
  portolan = await startPortolan({ env: { PORTOLAN_DIALECTS_CONSUL_ENABLED: 'false' } });
  expect((await fetch(`${portolan.control}/v1/agent/self`)).status).toBe(404);
});

test('bodies that are too large or no JSON are refused in Consul’s words, and the server goes on', async () => {
  portolan = await startPortolan();
  const register = async (body: string | Uint8Array<ArrayBuffer>) => {
    const url = `${portolan?.control}/v1/agent/service/register`;
    const reply = await fetch(url, { method: 'PUT', body });
    return [reply.status, reply.headers.get('content-type'), await reply.text()];
  };
  const plain = 'text/plain; charset=utf-8';
  expect(await register(`{"Name":"web","Tags":["${'x'.repeat(70_000)}"]}`)).toEqual([
    413,
    plain,
    'Request body too large: The body may have 65536 bytes at most here.',
  ]);
  expect(await register('{"Name":')).toEqual([
    400,
    plain,
    'Request decode failed: The JSON text ends too early, at position 8.',
  ]);
  expect(await register(new Uint8Array([0x7b, 0xff, 0x7d]))).toEqual([
    400,
    plain,
    'Request decode failed: The body holds a byte sequence that is not UTF-8.',
  ]);
  // curl calls every body a form.
  const reply = await fetch(`${portolan.control}/v1/agent/service/register`, {
    method: 'PUT',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: '{"Name":"web","Port":9}',
  });
  expect([reply.status, await reply.text()]).toEqual([200, '']);
});
