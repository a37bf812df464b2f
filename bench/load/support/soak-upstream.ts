// A service for the soak, in a process of its own so that it can be killed: node soak-upstream.ts PORT
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const port = Number(process.argv[2]);
const LARGE = Buffer.alloc(1_048_576, 'x');

const server = createServer((request, response) => {
  switch (new URL(request.url ?? '/', 'http://soak').pathname) {
    case '/large':
      response.setHeader('content-length', LARGE.length);
      response.end(LARGE);
      break;
    case '/drip': {
      let left = 20;
      const timer = setInterval(() => {
        left -= 1;
        response.write('data: tick\n\n');
        if (left === 0) response.end();
      }, 50);
      response.on('close', () => clearInterval(timer));
      break;
    }
    case '/echo':
      request.pipe(response);
      break;
    default:
      response.end('ok');
  }
});
// RFC 6455 §4.2.2; what comes afterwards is sent back as it is.
server.on('upgrade', (request, socket) => {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.on('error', () => undefined);
  socket.pipe(socket);
});
server.listen(port, '127.0.0.1', () => process.send?.('listening'));
process.on('disconnect', () => process.exit(0));
