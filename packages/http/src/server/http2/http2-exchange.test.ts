import type { ClientHttp2Session } from 'node:http2';
import { TurnableClock } from '@portolan/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { CHUNKED, lengthFraming } from '../../message/framing.ts';
import { answerOf, dialHttp2 } from '../../test-peers/http2-client.ts';
import { turnsUntil } from '../../test-peers/raw-peer.ts';
import { echo, type RunningServer, startServer } from '../../test-peers/server-rig.ts';
import type { ServerExchange } from '../server-exchange.ts';
import type { HttpServerLimits } from '../server-limits.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serving(
  handle?: (exchange: ServerExchange) => void,
  limits: Partial<HttpServerLimits> = {},
): Promise<RunningServer & { clock: TurnableClock; session: ClientHttp2Session }> {
  const clock = new TurnableClock();
  const running = await startServer(clock, limits, handle);
  const session = dialHttp2(running.port);
  closers.push(
    () => running.server.close(),
    () => session.destroy(),
  );
  return { ...running, clock, session };
}

describe('an HTTP/2 exchange', () => {
  test('is answered, and says where it came by', async () => {
    const { session, exchanges } = await serving(echo);
    const answer = await answerOf(session.request({ ':path': '/a?b' }));
    expect([answer.status, answer.body, answer.code]).toEqual([200, '/a?b', 0]);
    expect(answer.headers.date).toBeDefined();
    const [exchange] = exchanges;
    expect(exchange?.protocol).toBe('HTTP/2');
    expect([exchange?.secure, exchange?.remoteAddress]).toEqual([false, '127.0.0.1']);
    expect(exchange?.head.host).toMatch(/^127\.0\.0\.1:/);
    expect(exchange?.ended).toBe(true);
  });

  test('many at a time share a connection, whatever the order of their answers', async () => {
    const { session, server, exchange } = await serving();
    const answers = ['/a', '/b', '/c'].map((path) => answerOf(session.request({ ':path': path })));
    await exchange(2);
    for (let at = 2; at >= 0; at--) echo(await exchange(at));
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(['/a', '/b', '/c']);
    expect(server.connections).toBe(1);
    await turnsUntil(() => server.busyConnections === 0);
  });

  test('brings its body and trailers, and gets a body and trailers', async () => {
    const { session } = await serving((exchange) => {
      const pieces: string[] = [];
      exchange.handler = {
        onBodyData: (piece) => void pieces.push(piece.toString()),
        onBodyEnd(trailers) {
          exchange.sendHead(200, 'X-A: 1\r\nX-A: 2\r\nConnection: x\r\n', CHUNKED);
          exchange.write(Buffer.from(pieces.join('')));
          exchange.end(undefined, `Sum: ${trailers?.get('sum')}\r\n`);
        },
        onAbort: () => undefined,
        onDrain: () => undefined,
      };
      exchange.resume();
    });
    const stream = session.request({ ':method': 'POST' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ sum: '7' }));
    stream.write('one');
    stream.end('two');
    const answer = await answerOf(stream);
    expect([answer.body, answer.trailers?.sum, answer.code]).toEqual(['onetwo', '7', 0]);
    expect(answer.headers['x-a']).toBe('1, 2');
    expect(answer.headers.connection).toBeUndefined();
  });

  test('with a body of known length ends with its last byte', async () => {
    const { session } = await serving((exchange) => {
      exchange.sendHead(200, '', lengthFraming(6));
      exchange.write(Buffer.from('abc'));
      setImmediate(() => {
        exchange.write(Buffer.from('def'));
        exchange.end();
      });
    });
    const answer = await answerOf(session.request({}));
    expect([answer.body, answer.headers['content-length'], answer.code]).toEqual([
      'abcdef',
      '6',
      0,
    ]);
  });

  test.each([
    ['longer', 'abcd'],
    ['shorter', 'ab'],
  ])('is reset when its body is %s than announced', async (how, body) => {
    const { session, aborts } = await serving((exchange) => {
      exchange.sendHead(200, '', lengthFraming(3));
      exchange.write(Buffer.from(body.slice(0, 1)));
      setImmediate(() => exchange.end(Buffer.from(body.slice(1))));
    });
    const answer = await answerOf(session.request({}));
    expect(answer.code).toBe(2);
    expect(aborts).toEqual([`The body is ${how} than announced`]);
  });

  test('that is destroyed within its answer is not taken for complete', async () => {
    const { session, server } = await serving((exchange) => {
      if (exchange.head.target === '/whole') {
        echo(exchange);
        return;
      }
      exchange.startStream(200);
      exchange.write(Buffer.from('abc'));
      setImmediate(() => exchange.destroy());
    });
    const answer = await answerOf(session.request({}));
    expect([answer.status, answer.code]).toEqual([200, 2]);
    expect((await answerOf(session.request({ ':path': '/whole' }))).body).toBe('/whole');
    expect(server.connections).toBe(1);
  });

  test('asks for a body that waits to be asked for, and sends interim answers', async () => {
    const { session } = await serving((exchange) => {
      exchange.sendInformational(103, 'Link: </a>\r\n');
      void exchange.readBody(100).then((body) => exchange.reply(200, {}, body));
    });
    const stream = session.request({ ':method': 'POST', expect: '100-continue' });
    stream.on('continue', () => stream.end('asked'));
    const answer = await answerOf(stream);
    expect([answer.body, answer.interim]).toEqual(['asked', [103, 100]]);
  });

  test('answers to HEAD and 304 carry no body but what they say of it', async () => {
    const { session } = await serving((exchange) => {
      exchange.sendHead(exchange.head.method === 'HEAD' ? 200 : 304, '', lengthFraming(3));
      exchange.end(Buffer.from('abc'));
    });
    const head = await answerOf(session.request({ ':method': 'HEAD' }));
    expect([head.body, head.headers['content-length'], head.code]).toEqual(['', '3', 0]);
    const unchanged = await answerOf(session.request({}));
    expect([unchanged.status, unchanged.body, unchanged.code]).toEqual([304, '', 0]);
  });

  test('holds the sender of its body back while it is paused', async () => {
    const { session, exchange } = await serving();
    const stream = session.request({ ':method': 'POST' });
    stream.write(Buffer.alloc(1_000_000));
    const one = await exchange(0);
    let read = 0;
    one.handler = {
      onBodyData(piece) {
        read += piece.length;
      },
      onBodyEnd: () => one.reply(200, {}, String(read)),
      onAbort: () => undefined,
      onDrain: () => undefined,
    };
    await new Promise((resolve) => session.ping(resolve));
    expect(stream.bufferSize).toBeGreaterThan(900_000);
    one.resume();
    stream.end();
    expect((await answerOf(stream)).body).toBe('1000000');
  });

  test('waits for a client that takes its answer slowly, and goes on at the drain', async () => {
    let written = 0;
    const { session } = await serving((exchange) => {
      exchange.startStream(200);
      const more = (): void => {
        while (written < 3_000_000) {
          written += 50_000;
          if (!exchange.write(Buffer.alloc(50_000, 97))) return;
        }
        exchange.end();
      };
      exchange.handler = {
        onBodyData: () => undefined,
        onBodyEnd: () => undefined,
        onAbort: () => undefined,
        onDrain: more,
      };
      more();
    });
    const stream = session.request({});
    stream.pause();
    await new Promise((resolve) => stream.on('response', resolve));
    await new Promise((resolve) => session.ping(resolve));
    expect(written).toBeLessThan(1_000_000);
    stream.resume();
    expect((await answerOf(stream)).body).toHaveLength(3_000_000);
  });

  test('hears that the client reset it, and the others go on', async () => {
    const { session, exchange, aborts } = await serving();
    const stream = session.request({ ':method': 'POST' });
    stream.on('error', () => undefined);
    const other = answerOf(session.request({ ':path': '/other' }));
    const one = await exchange(0);
    stream.close(8);
    await turnsUntil(() => aborts.length === 1);
    expect([one.aborted, one.ended, one.signal.aborted]).toEqual([true, true, true]);
    echo(await exchange(1));
    expect((await other).body).toBe('/other');
  });

  test('all hear that the connection is gone', async () => {
    const { session, exchange, aborts, server } = await serving();
    session.request({}).on('error', () => undefined);
    session.request({}).on('error', () => undefined);
    await exchange(1);
    session.destroy();
    await turnsUntil(() => server.connections === 0);
    expect(aborts).toHaveLength(2);
  });

  test('that breaks a rule is told so, and the connection lives on', async () => {
    const { session, server } = await serving(echo);
    const answer = await answerOf(session.request({ expect: 'x' }));
    expect([answer.status, answer.body]).toEqual([417, 'EXPECTATION_UNKNOWN']);
    const many = Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`x-${at}`, '1']));
    expect((await answerOf(session.request(many))).status).toBe(431);
    const large = await answerOf(session.request({ 'x-large': 'x'.repeat(17_000) }));
    expect([large.status, large.body]).toEqual([431, 'HEAD_TOO_LARGE']);
    expect((await answerOf(session.request({ ':path': '/b' }))).body).toBe('/b');
    expect(server.connections).toBe(1);
  });

  test('a length that is not the body’s resets the stream before the body counts as whole', async () => {
    const { session, exchange, aborts } = await serving();
    const stream = session.request({ ':method': 'POST', 'content-length': '10' });
    stream.write('four');
    const one = await exchange(0);
    let whole = false;
    one.handler = {
      onBodyData: () => undefined,
      onBodyEnd() {
        whole = true;
      },
      onAbort: (reason) => void aborts.push(reason.message),
      onDrain: () => undefined,
    };
    one.resume();
    stream.end();
    expect((await answerOf(stream)).code).not.toBe(0);
    await turnsUntil(() => aborts.length === 1);
    expect(whole).toBe(false);
  });

  test('trailers that frame or route are refused', async () => {
    const { session } = await serving((exchange) => exchange.resume());
    const stream = session.request({ ':method': 'POST' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'content-length': '3' }));
    stream.end('abc');
    const answer = await answerOf(stream);
    expect([answer.status, answer.body]).toEqual([400, 'TRAILER_FORBIDDEN']);
  });

  test('a handler that throws at a piece loses its stream, not the connection', async () => {
    const { session, server } = await serving((exchange) => {
      if (!exchange.hasBody) {
        echo(exchange);
        return;
      }
      exchange.handler = {
        onBodyData() {
          throw new Error('broken');
        },
        onBodyEnd: () => undefined,
        onAbort: () => undefined,
        onDrain: () => undefined,
      };
      exchange.resume();
    });
    const stream = session.request({ ':method': 'POST' });
    stream.end('abc');
    expect((await answerOf(stream)).code).toBe(2);
    expect((await answerOf(session.request({ ':path': '/on' }))).body).toBe('/on');
    expect(server.connections).toBe(1);
  });

  test('an answer ahead of the body’s end ends the stream soon after', async () => {
    const { session, clock, server } = await serving((exchange) => exchange.reply(403, {}, 'no'));
    const stream = session.request({ ':method': 'POST' });
    stream.write('never read');
    const answered = answerOf(stream);
    await turnsUntil(() => stream.closed || server.busyConnections === 1);
    await new Promise((resolve) => session.ping(resolve));
    await clock.advance(2_000);
    const answer = await answered;
    expect([answer.status, answer.body, answer.code]).toEqual([403, 'no', 0]);
  });
});
