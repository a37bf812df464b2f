import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../time/system-clock.ts';
import { createTransport } from './transport.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The address of a server that was there. */
async function gone(): Promise<string> {
  const url = await serve(() => undefined);
  await closers.pop()?.();
  return url;
}

const answering = (status: number, type: string, body: string) =>
  serve((_request, response) => {
    response.writeHead(status, { 'content-type': type });
    response.end(body);
  });

function open(urls: readonly string[], timeoutMs = 2_000) {
  return createTransport(
    { urls, timeoutMs, answerLimitBytes: 1_000 },
    { clock: systemClock, fetch },
  );
}

describe('the transport', () => {
  test('asks the next control port when one is away, and stays with the one that answered', async () => {
    let asked = 0;
    const good = await serve((_request, response) => {
      asked += 1;
      response.setHeader('content-type', 'application/json');
      response.end('{"ok":true}');
    });
    let refused = 0;
    const leaving = await serve((_request, response) => {
      refused += 1;
      response.writeHead(503, { 'content-type': 'application/problem+json' });
      response.end('{"code":"SHUTTING_DOWN","detail":"leaving","status":503}');
    });
    const transport = open([await gone(), leaving, good]);
    expect((await transport.call('GET', '/x')).body).toEqual({ ok: true });
    await transport.call('GET', '/x');
    expect([asked, refused]).toEqual([2, 1]);
  });

  test('does not ask another one about a refusal', async () => {
    const body =
      '{"code":"VALIDATION_FAILED","detail":"no","status":400,"instance":"r-1","errors":[{"path":"$.port","expected":"a port"}]}';
    const first = await answering(400, 'application/problem+json', body);
    const second = await answering(200, 'application/json', '{}');
    await expect(open([first, second]).call('POST', '/x', { body: {} })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      status: 400,
      retryable: false,
      requestId: 'r-1',
      problems: [{ path: '$.port', expected: 'a port' }],
    });
  });

  test('says which address gave no answer in time, also when the body stalls', async () => {
    const silent = await serve(() => undefined);
    await expect(open([silent], 50).call('GET', '/x')).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: `No registry at ${silent}: no answer within 50 ms.`,
      retryable: true,
    });
    const stalled = await serve((_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.write('{"half":');
    });
    await expect(open([stalled], 50).call('GET', '/x')).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
    });
  });

  test('recognises what is no registry: a page, a redirect, cut-off JSON, a foreign error, too much', async () => {
    const answers = [
      answering(200, 'text/html', '<h1>Welcome</h1>'),
      answering(502, 'text/html', '<h1>Bad gateway</h1>'),
      answering(200, 'application/json', '{"cut":'),
      answering(404, 'application/json', '{"error":"not ours"}'),
      answering(200, 'application/json', `"${'x'.repeat(2_000)}"`),
      serve((_request, response) => {
        response.writeHead(302, { location: 'http://127.0.0.1:9/' });
        response.end();
      }),
      serve((_request, response) => {
        response.setHeader('content-type', 'application/json');
        response.end(Buffer.from([0x22, 0xff, 0x22]));
      }),
    ];
    for (const answer of answers) {
      await expect(open([await answer]).call('GET', '/x')).rejects.toMatchObject({
        code: 'ANSWER_INVALID',
        message: expect.stringContaining('this is not a Portolan registry'),
      });
    }
  });

  test('ends at once when the caller aborts', async () => {
    const silent = await serve(() => undefined);
    const aborting = new AbortController();
    const call = open([silent, silent]).call('GET', '/x', { signal: aborting.signal });
    aborting.abort();
    await expect(call).rejects.toMatchObject({ code: 'ABORTED' });
  });

  test('refuses what is no URL of a registry', () => {
    expect(() => open(['ftp://example.com'])).toThrow('Not an http or https URL');
  });
});
