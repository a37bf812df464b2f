import type { HealthProbe, ProbeConfig, ProbeResult, Registration } from '@portolan/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** Real instances for a probe to ask. */
export interface ProbeFixture<C extends ProbeConfig> {
  readonly probe: HealthProbe<C>;
  readonly healthy: C;
  /** By what is wrong with them; each has to be a critical result. */
  readonly unhealthy: Readonly<Record<string, C>>;
  /** By how they keep a probe waiting; none of them ever answers. */
  readonly hanging: Readonly<Record<string, C>>;
  /** Resolves once the instances hold no connection and no process of a probe any more. */
  untilReleased(): Promise<void>;
  close(): Promise<void>;
}

const TARGET: Registration = {
  id: 'web-127.0.0.1-1',
  service: { namespace: 'default', group: 'default', name: 'web' },
  address: '127.0.0.1',
  port: 1,
  tags: [],
  metadata: {},
  weight: 100,
  checks: [],
  initialStatus: 'unknown',
  registeredAtMs: 0,
};

// Only a bound that fails loudly; nothing waits for it.
const SETTLE_LIMIT_MS = 5_000;

/** What every probe keeps. `cases` names the fixtures' unhealthy and hanging entries, which exist only once it runs. */
export function probeContract<C extends ProbeConfig>(
  name: string,
  open: () => Promise<ProbeFixture<C>>,
  cases: { readonly unhealthy: readonly string[]; readonly hanging: readonly string[] },
): void {
  describe(`${name} keeps the probe contract`, () => {
    let fixture: ProbeFixture<C>;
    beforeAll(async () => {
      fixture = await open();
    });
    afterAll(async () => {
      await fixture.close();
    });

    async function check(config: C | undefined, signal?: AbortSignal): Promise<ProbeResult> {
      if (config === undefined) throw new Error('the fixture has no such case');
      const result = await fixture.probe.check(
        TARGET,
        config,
        signal ?? AbortSignal.timeout(SETTLE_LIMIT_MS),
      );
      expectReadable(result);
      return result;
    }

    test('names its cases completely', () => {
      expect(Object.keys(fixture.unhealthy)).toEqual(cases.unhealthy);
      expect(Object.keys(fixture.hanging)).toEqual(cases.hanging);
    });

    test('finds a healthy instance passing, again and again', async () => {
      for (let turn = 0; turn < 3; turn++) {
        expect(await check(fixture.healthy)).toMatchObject({ status: 'passing' });
      }
      await fixture.untilReleased();
    });

    test.each(cases.unhealthy)('gives a critical result, no rejection, for %s', async (which) => {
      expect(await check(fixture.unhealthy[which])).toMatchObject({ status: 'critical' });
      await fixture.untilReleased();
    });

    test.each(cases.hanging)('settles as critical once aborted while %s', async (which) => {
      const controller = new AbortController();
      const asked = check(fixture.hanging[which], controller.signal);
      const first = await Promise.race([asked, afterTurns()]);
      expect(first).toBeUndefined();
      controller.abort();
      expect(await asked).toMatchObject({ status: 'critical' });
      await fixture.untilReleased();
    });

    test('settles as critical when the signal had aborted before', async () => {
      expect(await check(fixture.healthy, AbortSignal.abort())).toMatchObject({
        status: 'critical',
      });
      await fixture.untilReleased();
    });

    test('leaves nothing listening on the signal', async () => {
      const signal = new AbortController().signal;
      let listening = 0;
      const add = signal.addEventListener.bind(signal);
      const remove = signal.removeEventListener.bind(signal);
      signal.addEventListener = (...args: Parameters<typeof add>) => {
        listening++;
        add(...args);
      };
      signal.removeEventListener = (...args: Parameters<typeof remove>) => {
        listening--;
        remove(...args);
      };
      await check(fixture.healthy, signal);
      expect(listening).toBeLessThanOrEqual(0);
    });

    test('answers many at once, each with its own result', async () => {
      const bad = cases.unhealthy[0];
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, at) =>
          check(at % 2 === 0 || bad === undefined ? fixture.healthy : fixture.unhealthy[bad]),
        ),
      );
      for (const [at, { status }] of results.entries()) {
        expect(status).toBe(at % 2 === 0 || bad === undefined ? 'passing' : 'critical');
      }
      await fixture.untilReleased();
    });
  });
}

function expectReadable({ output, durationMs }: ProbeResult): void {
  expect(output.length).toBeGreaterThan(0);
  expect(output.length).toBeLessThanOrEqual(256);
  expect(output).not.toMatch(/[\p{Cc}]/u);
  expect(durationMs).toBeGreaterThanOrEqual(0);
}

/** Long enough for a probe to connect and to start waiting. */
function afterTurns(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), 50));
}
