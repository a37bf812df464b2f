import { Agent, request } from 'node:http';

/** What happened to the requests since the last `take`. */
export interface Tally {
  sent: number;
  failed: number;
  readonly failures: string[];
  readonly byService: Map<string, number>;
  readonly byVersion: Map<string, number>;
}

/** An open loop: requests start at a steady rate, whatever the answers do. */
export class SteadyTraffic {
  readonly lastServedMs = new Map<string, number>();
  readonly total = emptyTally();
  #current = emptyTally();
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #timer: NodeJS.Timeout;
  #underway = 0;

  constructor(url: string, perSecond: number) {
    this.#url = url;
    const startedMs = performance.now();
    let started = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * perSecond);
      for (; started < due; started++) this.#one();
    }, 5);
  }

  /** The tally since the last call. */
  take(): Tally {
    const tally = this.#current;
    this.#current = emptyTally();
    return tally;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    for (let at = 0; this.#underway > 0 && at < 200; at++)
      await new Promise((r) => setTimeout(r, 25));
    if (this.#underway > 0) this.#fail(`${this.#underway} requests never ended`);
    this.#agent.destroy();
  }

  #one(): void {
    this.#underway += 1;
    for (const tally of [this.#current, this.total]) tally.sent += 1;
    const end = (why?: string): void => {
      this.#underway -= 1;
      if (why) this.#fail(why);
    };
    const outgoing = request(this.#url, { agent: this.#agent }, (answer) => {
      answer.resume();
      answer.on('error', (error) => end(error.message));
      answer.on('end', () => {
        if (answer.statusCode !== 200) return end(`status ${answer.statusCode}`);
        const by = String(answer.headers['x-served-by']);
        const version = String(answer.headers['x-version']);
        this.lastServedMs.set(by, performance.now());
        for (const tally of [this.#current, this.total]) {
          tally.byService.set(by, (tally.byService.get(by) ?? 0) + 1);
          tally.byVersion.set(version, (tally.byVersion.get(version) ?? 0) + 1);
        }
        return end();
      });
    });
    outgoing.on('error', (error) => end(error.message));
    outgoing.end();
  }

  #fail(why: string): void {
    for (const tally of [this.#current, this.total]) {
      tally.failed += 1;
      if (tally.failures.length < 5) tally.failures.push(why);
    }
  }
}

function emptyTally(): Tally {
  return { sent: 0, failed: 0, failures: [], byService: new Map(), byVersion: new Map() };
}
