import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { transportInUse } from '../transport/native-sockets.ts';
import { adoptAccepted, dialTcp, takePieces } from '../transport/socket-reader.ts';
import { SocketWriter } from '../transport/socket-writer.ts';

// A thread whose sockets send each other bytes for ever; it says which transport they use, once they do.

const PAIRS = 20;

const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (accepted) => {
  const socket = adoptAccepted(accepted);
  const writer = new SocketWriter(socket);
  takePieces(socket, { takePiece: (piece) => void writer.writeBytes(Buffer.from(piece)) });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
let pieces = 0;
for (let at = 0; at < PAIRS; at++) {
  const socket = dialTcp('127.0.0.1', port);
  await once(socket, 'connect');
  const writer = new SocketWriter(socket);
  takePieces(socket, {
    takePiece(piece) {
      if (++pieces === 10 * PAIRS) parentPort?.postMessage(transportInUse().name);
      writer.writeBytes(Buffer.from(piece));
    },
  });
  writer.writeText(`${at}`);
}
