import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { startCheckingProxy } from '../support/checking-proxy.ts';
import { startPortolan } from '../support/portolan-process.ts';

let document = '';
beforeAll(async () => {
  const portolan = await startPortolan();
  document = await fetch(`${portolan.control}/openapi.json`).then((reply) => reply.text());
  await portolan.dispose();
});

const HEAD = 'HTTP/1.1 200 OK\r\n';
const JSON_HEAD = `${HEAD}Content-Type: application/json\r\n`;
const STREAM = `${HEAD}Content-Type: text/event-stream\r\n`;
const GOOD = '{"services":[],"revision":3}';
const VIEW =
  '{"service":"a","namespace":"default","group":"default","revision":1,"protection":null,"instances":[]}';
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const event = (name: string, data: string): string => `id: 1\nevent: ${name}\ndata: ${data}\n\n`;
const stream = (...events: string[]): string =>
  `${STREAM}Transfer-Encoding: chunked\r\n\r\n${['retry: 1000\n\n', ...events].map(chunk).join('')}0\r\n\r\n`;

/** A control port that gives out the product's document and answers everything else with these bytes, one at a time. */
async function aServerAnswering(bytes: string) {
  const server = createServer(async (request, reply) => {
    if (request.url === '/openapi.json') {
      reply.end(document);
      return;
    }
    request.resume();
    await once(request, 'end');
    const { socket } = request;
    socket.setNoDelay(true);
    for (const byte of Buffer.from(bytes)) {
      if (!socket.write(Buffer.of(byte))) await once(socket, 'drain');
      if (byte === 10) await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => void server.close(),
  };
}

/** Sends one raw request through the proxy; gives what came back and what the proxy made of it. */
async function passThrough(request: string, answer: string) {
  const server = await aServerAnswering(answer);
  const proxy = await startCheckingProxy(server.origin);
  const socket = connect(Number(new URL(proxy.origin).port), '127.0.0.1');
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  socket.write(request);
  await once(socket, 'close');
  const { seen } = proxy;
  const verdict = await proxy.close().then(
    () => '',
    (error: Error) => error.message,
  );
  server.close();
  return { received, seen, verdict };
}

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
const LIST = get('/api/v1/services');
const WATCH = get('/api/v1/watch');

test.each([
  ['a body of a length', LIST, `${JSON_HEAD}Content-Length: 28\r\n\r\n${GOOD}`],
  ['a chunked body', LIST, `${JSON_HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk(GOOD)}0\r\n\r\n`],
  ['a body up to the end', LIST, `${JSON_HEAD}\r\n${GOOD}`],
  ['no body', LIST.replace('GET', 'HEAD'), `${JSON_HEAD}Content-Length: 28\r\n\r\n`],
  [
    'a stream',
    WATCH,
    stream(
      event('sync', '{"revision":1,"full":true}'),
      ': keep-alive\n\n',
      event('view', VIEW) + event('ready', '{"revision":1}'),
    ),
  ],
  ['what is none of the API’s', get('/readyz'), `${HEAD}Content-Length: 2\r\n\r\nno`],
])(
  'passes %s through unchanged and finds nothing wrong with it',
  async (_what, request, answer) => {
    const { received, verdict } = await passThrough(request, answer);
    expect(received).toBe(answer);
    expect(verdict).toBe('');
  },
);

test.each([
  [
    'a status',
    LIST,
    `HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n`,
    'status 418 is not documented',
  ],
  ['a path', get('/api/v1/nothing'), `${JSON_HEAD}Content-Length: 2\r\n\r\n{}`, 'no such path'],
  [
    'a media type',
    LIST,
    `${HEAD}Content-Type: text/html\r\nContent-Length: 0\r\n\r\n`,
    'media type "text/html"',
  ],
  ['a field', LIST, `${JSON_HEAD}\r\n{"services":[],"revision":3,"extra":1}`, 'extra'],
  ['no JSON', LIST, `${JSON_HEAD}\r\n{"services":[`, 'a body that is not JSON'],
  [
    'a missing header',
    get('/api/v1/services/a/instances'),
    `${JSON_HEAD}\r\n${VIEW}`,
    'x-portolan-revision',
  ],
  ['an error', LIST, `HTTP/1.1 400 Bad\r\nContent-Type: text/plain\r\n\r\nno`, 'text/plain'],
  ['an event', WATCH, stream(event('surprise', '{}')), 'event "surprise" is not documented'],
  [
    'the data of an event',
    WATCH,
    stream(event('ready', '{"revision":"1"}')),
    'data of event "ready"',
  ],
  ['data that is no JSON', WATCH, stream(event('ready', '{')), 'is not JSON'],
  [
    'an event of another stream',
    get('/api/v1/events'),
    stream(event('view', VIEW)),
    'event "view"',
  ],
])('fails for %s that the document does not have', async (_what, request, answer, expected) => {
  const { verdict } = await passThrough(request, answer);
  expect(verdict).toContain('was answered otherwise than /openapi.json says');
  expect(verdict).toContain(expected);
});
