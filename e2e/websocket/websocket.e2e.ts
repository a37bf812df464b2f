import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../support/eventually.ts';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';

const ECHO_SERVER = fileURLToPath(new URL('./echo-server.ts', import.meta.url));
const MEBIBYTE = 1_048_576;

let portolan: PortolanProcess;
const children: ChildProcess[] = [];

async function startEcho(): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(process.execPath, [ECHO_SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [text] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return { child, port: Number(/port (\d+)/.exec(text)?.[1]) };
}

async function open(service: string): Promise<WebSocket> {
  const socket = new WebSocket(`${portolan.gateway.replace('http', 'ws')}/${service}/room`);
  await once(socket, 'open');
  return socket;
}

async function echoed(socket: WebSocket, message: string | Buffer): Promise<string | Buffer> {
  socket.send(message);
  const [data, binary] = (await once(socket, 'message')) as [Buffer, boolean];
  return binary ? data : data.toString();
}

beforeAll(async () => {
  portolan = await startPortolan();
  const echo = await startEcho();
  // Upgrades are HTTP/1.1's, also where other requests would be HTTP/2.
  await register(portolan.control, 'chat', echo.port, { tags: ['protocol:h2'] });
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await portolan?.dispose();
});

describe('a WebSocket through the gateway', () => {
  test('carries text, bytes and messages of a mebibyte, many of them at once', async () => {
    const socket = await open('chat');
    expect(await echoed(socket, 'hello')).toBe('hello');
    expect(await echoed(socket, Buffer.from([0, 255]))).toEqual(Buffer.from([0, 255]));
    const big = randomBytes(MEBIBYTE);
    expect(big.equals((await echoed(socket, big)) as Buffer)).toBe(true);
    const returned: Buffer[] = [];
    socket.on('message', (data: Buffer) => returned.push(data));
    const sent = Array.from({ length: 16 }, () => randomBytes(MEBIBYTE));
    for (const message of sent) socket.send(message);
    await eventually(() => (returned.length === sent.length ? true : undefined), 15_000);
    expect(returned.every((data, at) => data.equals(sent[at] as Buffer))).toBe(true);
    socket.terminate();
  });

  test('is closed with the code and reason that either side gave', async () => {
    const byServer = await open('chat');
    byServer.send('close 4321 enough of it');
    const [code, reason] = (await once(byServer, 'close')) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4321, 'enough of it']);
    const byClient = await open('chat');
    byClient.close(4000, 'goodbye');
    const [echoedCode] = (await once(byClient, 'close')) as [number];
    expect(echoedCode).toBe(4000);
  });

  test('gets the answer of a service that does not want to switch', async () => {
    const socket = new WebSocket(
      `${portolan.gateway.replace('http', 'ws')}/chat/../chat/forbidden`,
    );
    const [, answer] = (await once(socket, 'unexpected-response')) as [
      unknown,
      { statusCode: number },
    ];
    expect(answer.statusCode).toBe(401);
    socket.on('error', () => undefined);
    socket.terminate();
  });

  test('ends for its client when the service is killed', async () => {
    const { child, port } = await startEcho();
    await register(portolan.control, 'mortal', port);
    const socket = await eventually(() => open('mortal'));
    expect(await echoed(socket, 'alive')).toBe('alive');
    const closed = once(socket, 'close') as Promise<[number]>;
    child.kill('SIGKILL');
    expect((await closed)[0]).toBe(1006);
  });

  test('stays open through a thousand changes of routes and a thousand of instances', async () => {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => open('chat')));
    let closed = 0;
    for (const socket of sockets) socket.on('close', () => closed++);
    const change = async (at: number): Promise<void> => {
      const route = await call(portolan.control, 'PUT', `/api/v1/routes/noise-${at % 10}`, {
        hosts: [`noise-${at}.example`],
        to: [{ service: 'chat' }],
      });
      expect(route.status).toBeLessThan(300);
      await register(portolan.control, 'chat', 20_000 + (at % 50), {
        tags: ['protocol:h2'],
        // Never chosen, and still a change of the very service that carries the sockets.
        status: at % 2 === 0 ? 'DOWN' : 'OUT_OF_SERVICE',
        metadata: { at: String(at) },
      });
    };
    for (let at = 0; at < 1_000; at += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, step) => change(at + step)));
      if (at % 200 === 0) {
        for (const socket of sockets) expect(await echoed(socket, `at ${at}`)).toBe(`at ${at}`);
      }
    }
    for (const socket of sockets) expect(await echoed(socket, 'after')).toBe('after');
    expect(closed).toBe(0);
    for (const socket of sockets) socket.terminate();
  }, 60_000);
});
