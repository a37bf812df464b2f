/**
 * The engine alone: a trivial server (`serve PORT`) and a trivial proxy loop (`proxy PORT UPSTREAM_PORT`); load them with
 * `wrk -t1 -c32 -d5 http://127.0.0.1:PORT/`. The proxy does what the gateway's fast path does, and no routing.
 */
import { systemClock } from '@portolan/client';
import {
  CHUNKED,
  ConnectionPool,
  createHttpServer,
  FIELD,
  NOT_FORWARDED,
  type ResponseHead,
  type ServerExchange,
  TimerWheel,
  type UpstreamError,
  type UpstreamExchange,
  type UpstreamHandler,
} from '@portolan/http';

const [role = 'serve', port = '9080', upstreamPort = '9081', size = '64'] = process.argv.slice(2);
const wheel = new TimerWheel(systemClock);

class Forward implements UpstreamHandler {
  readonly #client: ServerExchange;
  #attempt: UpstreamExchange | undefined;

  constructor(client: ServerExchange) {
    this.#client = client;
    client.handler = this;
  }

  onReady(attempt: UpstreamExchange): void {
    this.#attempt = attempt;
    const { head } = this.#client;
    attempt.sendHead(
      head.method,
      head.target,
      head.linesWithout(NOT_FORWARDED | FIELD.forwarded | FIELD.underscore),
      head.framing,
    );
    if (this.#client.hasBody) this.#client.resume();
  }

  onBodyData(piece: Buffer): void {
    if (this.#attempt?.write(piece) === false) this.#client.pause();
  }

  onBodyEnd(): void {
    this.#attempt?.end();
  }

  onAbort(): void {
    this.#attempt?.abort();
  }

  /** Either side took what it was given. */
  onDrain(): void {
    if (this.#client.hasBody) this.#client.resume();
    this.#attempt?.resume();
  }

  onInformational(): void {}

  onHead(head: ResponseHead): void {
    this.#client.sendHead(head.status, head.linesWithout(NOT_FORWARDED), head.declared);
  }

  onData(piece: Buffer): void {
    if (!this.#client.write(piece)) this.#attempt?.pause();
  }

  onEnd(): void {
    this.#client.end();
  }

  onError(error: UpstreamError): void {
    if (this.#client.status === 0) this.#client.reply(502, {}, error.code);
    else this.#client.destroy();
  }

  onUpgrade(): void {}
}

const pool = new ConnectionPool({ maxConnections: 512 }, { clock: systemClock, wheel });
const body = Buffer.alloc(Number(size), 'x');
const server = createHttpServer(
  {
    onExchange: (exchange) => {
      if (role === 'proxy') pool.connect('127.0.0.1', Number(upstreamPort), new Forward(exchange));
      else if (exchange.head.target === '/chunked') {
        exchange.sendHead(200, '', CHUNKED);
        exchange.end(body);
      } else exchange.send(200, 'Content-Type: text/plain\r\n', body);
    },
  },
  { clock: systemClock, wheel },
);
const bound = await server.listen({ host: '127.0.0.1', port: Number(port) });
console.log(`${role} on ${bound.port}`);
