import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';

/** What became of one kind of traffic. */
export interface KindTally {
  done: number;
  failed: number;
  readonly reasons: Map<string, number>;
}

export interface SoakClients {
  readonly tallies: ReadonlyMap<string, KindTally>;
  /** Ends all traffic and resolves when every client has closed its connections. */
  stop(): Promise<void>;
}

/** Clients of every manner, each asking again and again over connections of its own. */
export function startSoakClients(origin: string): SoakClients {
  const url = new URL(origin);
  const tallies = new Map<string, KindTally>();
  const agents: Agent[] = [];
  const sessions = new Set<ClientHttp2Session>();
  const running: Promise<void>[] = [];
  let stopped = false;

  function keep(kind: string, lanes: number, once: () => Promise<void>): void {
    const tally: KindTally = { done: 0, failed: 0, reasons: new Map() };
    tallies.set(kind, tally);
    const lane = async (): Promise<void> => {
      while (!stopped) {
        try {
          await once();
          tally.done += 1;
        } catch (error) {
          tally.failed += 1;
          const reason = error instanceof Error ? error.message : String(error);
          tally.reasons.set(reason, (tally.reasons.get(reason) ?? 0) + 1);
          await pause(20);
        }
      }
    };
    for (let at = 0; at < lanes; at++) running.push(lane());
  }

  const agentOf = (): Agent => {
    const agent = new Agent({ keepAlive: true });
    agents.push(agent);
    return agent;
  };
  const smallAgent = agentOf();
  keep('small', 8, () => whole(url, '/web/small', { agent: smallAgent }));
  const largeAgent = agentOf();
  keep('large', 2, () => whole(url, '/web/large', { agent: largeAgent }, undefined, 1_048_576));
  const uploadAgent = agentOf();
  const upload = Buffer.alloc(262_144, 'u');
  keep('upload', 2, () => {
    const options = { agent: uploadAgent, method: 'POST' };
    return whole(url, '/web/echo', options, upload, upload.length);
  });
  const dripAgent = agentOf();
  keep('stream', 4, () => whole(url, '/web/drip', { agent: dripAgent }));
  keep('aborted', 2, () => aborted(url));
  keep('slow reader', 3, () => slowReader(url));
  keep('slow writer', 3, () => slowWriter(url));
  keep('upgraded', 4, () => upgraded(url));
  keep('HTTP/2', 2, () => http2Batch(origin, sessions));

  return {
    tallies,
    async stop() {
      stopped = true;
      await Promise.all(running);
      for (const agent of agents) agent.destroy();
      for (const session of sessions) session.destroy();
    },
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function ask(
  url: URL,
  path: string,
  options: RequestOptions,
  body: Buffer | undefined,
  onAnswer: (answer: IncomingMessage) => void,
  onError: (error: Error) => void,
) {
  const sent = request({ host: url.hostname, port: url.port, path, ...options }, onAnswer);
  sent.on('error', onError);
  sent.setTimeout(30_000, () => sent.destroy(new Error('no answer for 30 s')));
  if (body !== undefined) sent.end(body);
  return sent;
}

function whole(
  url: URL,
  path: string,
  options: RequestOptions,
  body: Buffer = Buffer.alloc(0),
  expected?: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    ask(
      url,
      path,
      options,
      body,
      (answer) => {
        let length = 0;
        answer.on('data', (piece: Buffer) => {
          length += piece.length;
        });
        answer.on('error', reject);
        answer.on('end', () => {
          if (answer.statusCode !== 200) reject(new Error(`status ${answer.statusCode}`));
          else if (expected !== undefined && length !== expected) reject(new Error('cut short'));
          else resolve();
        });
      },
      reject,
    );
  });
}

/** Goes away within the answer. */
function aborted(url: URL): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = ask(
      url,
      '/web/large',
      { agent: false },
      Buffer.alloc(0),
      (answer) => {
        answer.on('error', () => undefined);
        answer.once('data', () => {
          sent.destroy();
          resolve();
        });
        answer.once('end', () => reject(new Error(`status ${answer.statusCode}`)));
      },
      (error) => reject(error),
    );
  });
}

/** Takes a mebibyte in pieces of 64 KiB, 20 ms apart. */
function slowReader(url: URL): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname);
    let received = 0;
    socket.on('error', reject);
    socket.on('close', () => {
      if (received > 1_048_576) resolve();
      else reject(new Error('cut short'));
    });
    socket.write('GET /web/large HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n');
    socket.on('data', (piece: Buffer) => {
      received += piece.length;
      socket.pause();
      setTimeout(() => socket.resume(), 20);
    });
  });
}

async function slowWriter(url: URL): Promise<void> {
  let answered: (() => void) | undefined;
  let failed: ((error: Error) => void) | undefined;
  const answer = new Promise<void>((resolve, reject) => {
    answered = resolve;
    failed = reject;
  });
  answer.catch(() => undefined);
  const sent = ask(
    url,
    '/web/echo',
    { agent: false, method: 'POST' },
    undefined,
    (response) => {
      let length = 0;
      response.on('data', (piece: Buffer) => {
        length += piece.length;
      });
      response.on('error', (error) => failed?.(error));
      response.on('end', () => {
        if (response.statusCode === 200 && length === 20_000) answered?.();
        else
          failed?.(
            new Error(response.statusCode === 200 ? 'cut short' : `status ${response.statusCode}`),
          );
      });
    },
    (error) => failed?.(error),
  );
  for (let at = 0; at < 20; at++) {
    if (sent.destroyed) break;
    sent.write(Buffer.alloc(1_000, 'w'));
    await pause(20);
  }
  sent.end();
  await answer;
}

/** Twenty messages there and back over an upgraded connection; every third goes away without a word. */
let opened = 0;
function upgraded(url: URL): Promise<void> {
  opened += 1;
  const abrupt = opened % 3 === 0;
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname);
    let text = '';
    let echoed = 0;
    let done = false;
    socket.setTimeout(30_000, () => socket.destroy(new Error('no answer for 30 s')));
    socket.on('error', reject);
    socket.on('close', () => {
      if (done) resolve();
      else reject(new Error(text.startsWith('HTTP/1.1 101') ? 'tunnel cut' : text.slice(0, 12)));
    });
    socket.write(
      'GET /web/ws HTTP/1.1\r\nHost: soak\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (text.length - end - 4 < echoed * 4) return;
      if (echoed === 20) {
        done = true;
        if (abrupt) socket.resetAndDestroy();
        else socket.end();
        return;
      }
      echoed += 1;
      setTimeout(() => socket.write('ping'), 5);
    });
  });
}

/** A connection of HTTP/2 with sixteen requests at a time, one of them given up. */
function http2Batch(origin: string, sessions: Set<ClientHttp2Session>): Promise<void> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(origin);
    sessions.add(session);
    session.on('error', reject);
    session.on('close', () => sessions.delete(session));
    const paths = Array.from({ length: 16 }, (_, at) =>
      at % 4 === 0 ? '/web/large' : '/web/small',
    );
    const answers = paths.map(
      (path, at) =>
        new Promise<void>((answered, failed) => {
          const stream = session.request({ ':path': path });
          stream.setTimeout(30_000, () => failed(new Error('no answer for 30 s')));
          stream.on('error', failed);
          stream.on('response', (head) => {
            if (head[':status'] !== 200) failed(new Error(`status ${head[':status']}`));
            if (at === 8) stream.close(8);
          });
          stream.on('close', () => answered());
          stream.resume();
        }),
    );
    void Promise.allSettled(answers).then((settled) => {
      session.close();
      const lost = settled.find((one) => one.status === 'rejected');
      if (lost) reject(lost.reason);
      else resolve();
    });
  });
}
