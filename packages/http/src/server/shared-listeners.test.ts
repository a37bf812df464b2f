import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { SharedListeners } from './shared-listeners.ts';

const open: SharedListeners[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const listeners of open.splice(0)) listeners.close();
  for (const socket of sockets.splice(0)) socket.destroy();
});

function listeners(count: number) {
  const accepted: Socket[] = [];
  const made = new SharedListeners({
    count,
    onAccepted(socket) {
      accepted.push(socket);
      sockets.push(socket);
    },
    onError: (error) => {
      throw error;
    },
  });
  open.push(made);
  return { made, accepted };
}

const at = (port: number) => ({ host: '127.0.0.1', port });

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

test.each([1, 8])('%i sockets at one address take every connection', async (count) => {
  const { made, accepted } = listeners(count);
  const { port } = await made.listen(at(0));
  await Promise.all(Array.from({ length: 60 }, () => dial(port)));
  await expect.poll(() => accepted.length).toBe(60);
});

test.each([1, 8])(
  'an address that others have is refused, however many they are (%i)',
  async (count) => {
    const { made } = listeners(count);
    const { port } = await made.listen(at(0));
    for (const own of [1, 8]) {
      await expect(listeners(own).made.listen(at(port))).rejects.toMatchObject({
        code: 'EADDRINUSE',
      });
    }
  },
);

test('closed, all of them are: the address is free, and nobody is taken', async () => {
  const { made } = listeners(8);
  const { port } = await made.listen(at(0));
  made.close();
  const again = listeners(8);
  await expect
    .poll(() =>
      again.made.listen(at(port)).then(
        ({ port: got }) => got,
        () => undefined,
      ),
    )
    .toBe(port);
});
