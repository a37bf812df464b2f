import { Agent, get } from 'node:http';

/** What came back since the counters were last taken. */
export interface Counters {
  answered: number;
  slowestMs: number;
  readonly byVersion: Map<string, number>;
  readonly byInstance: Map<string, number>;
}

export interface Traffic {
  readonly sent: number;
  readonly failures: readonly string[];
  /** `performance.now()` of the last answer by each instance. */
  readonly lastAnswerMs: ReadonlyMap<string, number>;
  /** The counters, which begin anew. */
  take(): Counters;
  /** Sends nothing more and resolves when everything was answered. */
  stop(): Promise<void>;
}

const TICK_MS = 10;

/** Sends requests at a steady rate, whatever the answers do. */
export function startTraffic(url: string, perSecond: number): Traffic {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const failures: string[] = [];
  const lastAnswerMs = new Map<string, number>();
  let counters = newCounters();
  let sent = 0;
  let open = 0;
  let onIdle: (() => void) | undefined;
  const startedMs = performance.now();

  const settle = (failure?: string): void => {
    if (failure !== undefined) failures.push(failure);
    open -= 1;
    if (open === 0) onIdle?.();
  };
  const send = (): void => {
    const sentMs = performance.now();
    sent += 1;
    open += 1;
    const request = get(url, { agent, timeout: 10_000 }, (answer) => {
      answer.resume();
      answer.once('error', (error) => settle(error.message));
      answer.once('end', () => {
        if (answer.statusCode !== 200) return settle(`status ${answer.statusCode}`);
        const nowMs = performance.now();
        const instance = String(answer.headers['x-served-by']);
        const version = String(answer.headers['x-version']);
        counters.answered += 1;
        counters.slowestMs = Math.max(counters.slowestMs, nowMs - sentMs);
        counters.byInstance.set(instance, (counters.byInstance.get(instance) ?? 0) + 1);
        counters.byVersion.set(version, (counters.byVersion.get(version) ?? 0) + 1);
        lastAnswerMs.set(instance, nowMs);
        settle();
      });
    });
    let failed = false;
    request.once('timeout', () => request.destroy(new Error('no answer within 10 s')));
    request.on('error', (error) => {
      if (!failed) settle(error.message);
      failed = true;
    });
  };
  const timer = setInterval(() => {
    const due = ((performance.now() - startedMs) / 1_000) * perSecond;
    while (sent < due) send();
  }, TICK_MS);

  return {
    get sent() {
      return sent;
    },
    failures,
    lastAnswerMs,
    take() {
      const taken = counters;
      counters = newCounters();
      return taken;
    },
    async stop() {
      clearInterval(timer);
      await new Promise<void>((resolve) => {
        onIdle = resolve;
        if (open === 0) resolve();
      });
      agent.destroy();
    },
  };
}

function newCounters(): Counters {
  return { answered: 0, slowestMs: 0, byVersion: new Map(), byInstance: new Map() };
}
