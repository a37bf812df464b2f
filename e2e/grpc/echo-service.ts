import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { ECHO } from './echo-definition.ts';

/** A gRPC service in a process of its own, so that it can be killed. It prints its port; NAME comes with every answer. */
const name = process.env.NAME ?? '';

function trailers(): Metadata {
  const metadata = new Metadata();
  metadata.set('served-by', name);
  metadata.set('detail-bin', Buffer.from([0, 1, 255]));
  return metadata;
}

const server = new Server();
server.addService(ECHO, {
  unary(call: ServerUnaryCall<string, string>, reply: sendUnaryData<string>) {
    const { request } = call;
    if (request === 'never') return;
    const failure = /^fail (\d+) (.*)$/.exec(request);
    if (failure) {
      reply({ code: Number(failure[1]), details: failure[2] ?? '', metadata: trailers() });
      return;
    }
    reply(null, `${name}:${request}`, trailers());
  },
  down(call: ServerWritableStream<string, string>) {
    const count = Number(call.request);
    for (let at = 0; at < Math.max(1, count); at++) call.write(`${name}:${at}`);
    // A count of 0 stays open.
    if (count > 0) call.end(trailers());
  },
  up(call: ServerReadableStream<string, string>, reply: sendUnaryData<string>) {
    const parts: string[] = [];
    call.on('data', (part: string) => parts.push(part));
    call.on('end', () => reply(null, parts.join('+'), trailers()));
  },
  both(call: ServerDuplexStream<string, string>) {
    call.on('data', (part: string) => call.write(`${name}:${part}`));
    call.on('end', () => call.end(trailers()));
  },
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`port ${port}\n`);
});
