import { afterEach, expect, test } from 'vitest';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { startSteadyLoad } from '../support/steady-load.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';

const CHANGES = 1_000;
const upstreams: UpstreamService[] = [];
let portolan: PortolanProcess | undefined;

afterEach(async () => {
  await portolan?.dispose();
  portolan = undefined;
  for (const upstream of upstreams.splice(0)) await upstream.stop('SIGKILL');
});

const idOf = (at: number): string => `shop-${at % 4}`;

/** The route under load, said in another way at each turn. */
function routeAt(turn: number): object {
  const weight = turn % 100;
  return {
    match: { path: '/shop' },
    to: [
      { service: 'shop', labels: { version: 'v0' }, weight: 100 - weight },
      { service: 'shop', labels: { version: 'v1' }, weight },
    ],
    ...(turn % 3 === 0 ? { retries: { attempts: turn % 4 } } : {}),
  };
}

test.each([1, 2])(
  'a thousand changes of the route and a thousand of the instances under load fail no request, with %i processes',
  async (workers) => {
    const running = await startPortolan({ args: ['--workers', String(workers)] });
    portolan = running;
    const join = (at: number) =>
      register(running.control, 'shop', upstreams[at % 4]?.port ?? 0, {
        id: idOf(at),
        tags: [`version:v${at % 2}`],
        weight: 1 + (at % 90),
      });
    for (let at = 0; at < 4; at++) upstreams.push(await startUpstream(`s${at}`));
    for (let at = 0; at < 4; at++) await join(at);
    const put = (turn: number) =>
      call(running.control, 'PUT', '/api/v1/routes/shop', routeAt(turn));
    expect((await put(0)).body.errors).toBeUndefined();
    const reading = startSteadyLoad(`${running.gateway}/shop/?delayMs=2`, { lanes: 12 });
    // Never repeated: a POST that met a change would have failed.
    const writing = startSteadyLoad(`${running.gateway}/shop/?delayMs=2`, {
      lanes: 4,
      method: 'POST',
    });
    const statuses: number[] = [];
    for (let turn = 1; turn <= CHANGES; turn++) {
      // One of the four leaves, finishes what it has, and comes back with another weight.
      const answers = await Promise.all([
        put(turn),
        call(running.control, 'DELETE', `/register/${idOf(turn)}`),
      ]);
      statuses.push(...answers.map(({ status }) => status));
      await join(turn);
    }
    const tallies = [await reading.stop(), await writing.stop()];
    expect(statuses.filter((status) => status >= 300)).toEqual([]);
    expect(tallies.map(({ failures }) => failures)).toEqual([[], []]);
    for (const { sent, servedBy } of tallies) {
      expect(sent).toBeGreaterThan(CHANGES);
      expect(servedBy.size).toBe(4);
    }
  },
  120_000,
);
