import { Agent, request } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { type PortolanProcess, startPortolan } from '../support/portolan-process.ts';
import { call, register } from '../support/registry-api.ts';
import { startUpstream, type UpstreamService } from '../support/upstream-service.ts';

let upstream: UpstreamService;
let portolan: PortolanProcess | undefined;

afterEach(async () => {
  await portolan?.dispose();
  portolan = undefined;
  await upstream.stop('SIGKILL');
});

function timed(url: string, agent: Agent): Promise<{ status: number; ms: number }> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent }, (answer) => {
      answer.resume();
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, ms: performance.now() - startedMs }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('a flood gets what the limit allows and quick refusals, and leaves nothing behind', async () => {
  upstream = await startUpstream('one');
  const running = await startPortolan({
    args: ['--set', 'gateway.overload.requests=50', '--set', 'gateway.retries.attempts=0'],
  });
  portolan = running;
  await register(running.control, 'web', upstream.port);
  const agent = new Agent({ keepAlive: true });
  const url = `${running.gateway}/web/?delayMs=1500`;
  const answers = await Promise.all(Array.from({ length: 400 }, () => timed(url, agent)));
  const served = answers.filter(({ status }) => status === 200);
  const shed = answers.filter(({ status }) => status === 503);
  expect([served.length, shed.length]).toEqual([50, 350]);
  // They were told while those served still waited for the service.
  const slowest = Math.max(...shed.map(({ ms }) => ms));
  expect(slowest).toBeLessThan(Math.min(...served.map(({ ms }) => ms)));
  const after = await Promise.all(
    Array.from({ length: 50 }, () => timed(`${running.gateway}/web/`, agent)),
  );
  expect(after.every(({ status }) => status === 200)).toBe(true);
  const metrics = await (await fetch(`${running.control}/metrics`)).text();
  expect(metrics).toMatch(/^portolan_gateway_shed_total\{reason="requests"\} 350$/m);
  expect((await call(running.control, 'GET', '/readyz')).status).toBe(200);
  agent.destroy();
});
