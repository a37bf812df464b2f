import { WebSocketServer } from 'ws';

/** A WebSocket service in a process of its own, so that it can be killed. It prints its port. */
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  verifyClient: ({ req }: { req: { url?: string | undefined } }) => req.url !== '/forbidden',
});
server.on('listening', () => {
  const address = server.address();
  process.stdout.write(`port ${typeof address === 'object' ? address?.port : ''}\n`);
});
server.on('connection', (socket) => {
  socket.on('message', (data, binary) => {
    const text = binary ? '' : data.toString();
    const code = /^close (\d+) (.*)$/.exec(text);
    if (code) socket.close(Number(code[1]), code[2]);
    else socket.send(data, { binary });
  });
});
