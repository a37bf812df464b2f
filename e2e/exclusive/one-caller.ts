import { Agent, request } from 'node:http';
import { eventually } from '../support/eventually.ts';

export interface Caller {
  /** Who answered, each once as long as nobody else answered in between. */
  readonly servers: readonly string[];
  /** Answers other than 200, and connections that broke. */
  readonly failed: number;
  /** Resolves when the last `count` answers came from this one. */
  until(server: string, count: number): Promise<void>;
  stop(): Promise<void>;
}

/** One request after the other, so that the order of the answers is the order of the requests. */
export function startCaller(url: string): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const servers: string[] = [];
  let inARow = 0;
  let failed = 0;
  let stopped = false;
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const fail = (): void => {
        failed++;
        setTimeout(resolve, 5);
      };
      request(url, { agent }, (answer) => {
        answer.resume().on('error', fail);
        answer.on('end', () => {
          if (answer.statusCode !== 200) return fail();
          const by = String(answer.headers['x-served-by']);
          inARow = servers.at(-1) === by ? inARow + 1 : 1;
          if (inARow === 1) servers.push(by);
          resolve();
        });
      })
        .on('error', fail)
        .end();
    });
  const running = (async () => {
    while (!stopped) await one();
  })();
  return {
    servers,
    get failed() {
      return failed;
    },
    async until(server, count) {
      await eventually(
        () => (servers.at(-1) === server && inARow >= count ? true : undefined),
        10_000,
      );
    },
    async stop() {
      stopped = true;
      await running;
      agent.destroy();
    },
  };
}
