import { Agent, request } from 'node:http';

export interface LoadTally {
  sent: number;
  failed: number;
  readonly failures: string[];
  /** Answers by the service that gave them. */
  readonly servedBy: Map<string, number>;
  /** `performance.now()` of the last answer by each service. */
  readonly lastServedMs: Map<string, number>;
}

/** Keeps `lanes` requests under way through one URL until stopped; every answer that is not 200 is a failure. */
export function startSteadyLoad(
  url: string,
  options: { lanes?: number; headers?: Record<string, string>; method?: string } = {},
): { readonly tally: LoadTally; stop(): Promise<LoadTally> } {
  const agent = new Agent({ keepAlive: true, maxSockets: options.lanes ?? 16 });
  const tally: LoadTally = {
    sent: 0,
    failed: 0,
    failures: [],
    servedBy: new Map(),
    lastServedMs: new Map(),
  };
  let stopped = false;
  const fail = (why: string): void => {
    tally.failed += 1;
    if (tally.failures.length < 10) tally.failures.push(why);
  };
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      tally.sent += 1;
      const outgoing = request(
        url,
        { agent, method: options.method ?? 'GET', headers: options.headers ?? {} },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          answer.on('end', () => {
            if (answer.statusCode !== 200) fail(`${answer.statusCode} ${text.slice(0, 200)}`);
            const by = String(answer.headers['x-served-by'] ?? 'gateway');
            tally.servedBy.set(by, (tally.servedBy.get(by) ?? 0) + 1);
            tally.lastServedMs.set(by, performance.now());
            resolve();
          });
          answer.on('error', (error) => {
            fail(error.message);
            resolve();
          });
        },
      );
      outgoing.on('error', (error) => {
        fail(error.message);
        resolve();
      });
      outgoing.end();
    });
  const lane = async (): Promise<void> => {
    while (!stopped) await one();
  };
  const lanes = Promise.all(Array.from({ length: options.lanes ?? 16 }, lane));
  return {
    tally,
    async stop() {
      stopped = true;
      await lanes;
      agent.destroy();
      return tally;
    },
  };
}
