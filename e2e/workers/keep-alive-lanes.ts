import { Agent, request } from 'node:http';

/** One client with one connection at a time. */
export interface Lane {
  sent: number;
  answered: number;
  /** Of requests that failed: the local port of their connection, and why. */
  readonly failures: { readonly port: number; readonly why: string }[];
}

/** Clients that ask one URL again and again, each over a connection of its own, until stopped. */
export function startLanes(url: string, count: number) {
  const lanes: Lane[] = [];
  let stopped = false;
  const running = Array.from({ length: count }, async () => {
    const lane: Lane = { sent: 0, answered: 0, failures: [] };
    lanes.push(lane);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!stopped) await ask(url, agent, lane);
    agent.destroy();
  });
  return {
    lanes,
    async stop(): Promise<readonly Lane[]> {
      stopped = true;
      await Promise.all(running);
      return lanes;
    },
  };
}

function ask(url: string, agent: Agent, lane: Lane): Promise<void> {
  lane.sent += 1;
  let port = 0;
  return new Promise((resolve) => {
    const fail = (why: string): void => {
      lane.failures.push({ port, why });
      resolve();
    };
    const outgoing = request(url, { agent }, (answer) => {
      answer.resume();
      answer.on('error', (error) => fail(error.message));
      answer.on('end', () => {
        if (answer.statusCode === 200) lane.answered += 1;
        else lane.failures.push({ port, why: String(answer.statusCode) });
        resolve();
      });
    });
    outgoing.on('socket', (socket) => {
      port = socket.localPort ?? 0;
      if (!socket.connecting) return;
      socket.once('connect', () => {
        port = socket.localPort ?? 0;
      });
    });
    outgoing.on('error', (error) => fail(error.message));
    outgoing.end();
  });
}
