import { holdProcess, systemClock } from '@portolan/client';
import { requestBytes, runLoad } from 'portolan/bench';

/** Far more registrations and reads than a process can take: `node flood.ts ORIGIN MILLISECONDS`, and figures at the end. */
const [origin = '', lasting = ''] = process.argv.slice(2);
const url = new URL(origin);
const durationMs = Number(lasting);
const release = holdProcess();
const { signal } = new AbortController();
const deps = { clock: systemClock, random: Math.random };

const registration = (at: number): Buffer =>
  requestBytes('POST', '/register', url.host, {
    service: `flood-${at % 50}`,
    id: `flood-${at % 20_000}`,
    address: `10.9.${(at >> 8) & 255}.${at & 255}`,
    port: 9_000 + ((at >> 16) & 1_023),
    metadata: { turn: String(at) },
    ttl: 3_600,
  });
const read = requestBytes('GET', '/api/v1/instances', url.host);

const [writes, reads] = await Promise.all([
  runLoad({ url, connections: 300, durationMs, signal, next: registration }, deps),
  runLoad({ url, connections: 150, durationMs, signal, next: () => read }, deps),
]);
release();
const told = ({ requests, errors, latency }: Awaited<ReturnType<typeof runLoad>>) => ({
  answered: requests,
  p99Ms: Math.round(latency.percentileMs(0.99)),
  errors: Object.fromEntries(errors),
});
process.stdout.write(`${JSON.stringify({ writes: told(writes), reads: told(reads) })}\n`);
