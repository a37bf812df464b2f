/**
 * Mixed traffic for a long time while instances are killed and come back: small, large, uploaded, streamed, aborted, slow,
 * upgraded and HTTP/2. Says each minute what was done, what failed and what the gateway's process holds; fails when, after the traffic
 * has ended, sockets are left, or when memory grew after the first third.
 *
 *   node bench/load/soak.ts [--minutes 30]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { send } from './support/control-calls.ts';
import { option, type Row, report } from './support/report.ts';
import { startServer } from './support/server-process.ts';
import { startSoakClients } from './support/soak-clients.ts';

const minutes = option('minutes', 30);
const UPSTREAM = fileURLToPath(new URL('./support/soak-upstream.ts', import.meta.url));
const PORTS = [19_101, 19_102, 19_103];
const KILL_EVERY_MS = 5_000;
const BACK_AFTER_MS = 1_000;
/** Beyond the longest that an idle connection is kept: the pool's four seconds, and a client's linger. */
const QUIET_MS = 15_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const upstreams = new Map<number, ChildProcess>();

async function startUpstream(port: number): Promise<void> {
  const child = fork(UPSTREAM, [String(port)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  upstreams.set(port, child);
  await once(child, 'message');
}

async function socketsOf(pid: number): Promise<{ fds: number; sockets: number }> {
  const fds = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(
    fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
  );
  return { fds: fds.length, sockets: targets.filter((text) => text.startsWith('socket:')).length };
}

const server = await startServer({ pin: false });
const pid = server.child.pid ?? 0;
let kills = 0;
let stopping = false;

async function killInTurn(): Promise<void> {
  for (let at = 0; !stopping; at++) {
    await pause(KILL_EVERY_MS - BACK_AFTER_MS);
    if (stopping) return;
    const port = PORTS[at % PORTS.length] ?? 0;
    upstreams.get(port)?.kill('SIGKILL');
    kills += 1;
    await pause(BACK_AFTER_MS);
    await startUpstream(port);
  }
}

try {
  for (const port of PORTS) {
    await startUpstream(port);
    const body = { service: 'web', address: '127.0.0.1', port, lease: 'none' };
    await send(`${server.control}/register`, 'POST', body);
  }
  await pause(1_000);
  const before = await socketsOf(pid);
  const clients = startSoakClients(server.gateway);
  const killing = killInTurn();
  const memory: number[] = [];
  for (let minute = 1; minute <= minutes; minute++) {
    const marks: number[] = [];
    for (let tick = 0; tick < 12; tick++) {
      await pause(5_000);
      marks.push(await server.residentBytes());
    }
    const resident = marks.reduce((sum, bytes) => sum + bytes, 0) / marks.length;
    memory.push(resident);
    const { fds, sockets } = await socketsOf(pid);
    const counts = [...clients.tallies].map(
      ([kind, { done, failed }]) => `${kind} ${done}/${failed}`,
    );
    console.log(
      `minute ${minute}: ${mebibytes(resident)} MiB, ${fds} fds, ${sockets} sockets, ${kills} kills; done/failed: ${counts.join(', ')}`,
    );
  }
  stopping = true;
  await clients.stop();
  await killing;
  await pause(QUIET_MS);
  const after = await socketsOf(pid);
  const third = Math.max(1, Math.floor(minutes / 3));
  const early = mean(memory.slice(third - 1, 2 * third - 1));
  const late = mean(memory.slice(-third));
  const rows: Row[] = [];
  for (const [kind, { done, failed, reasons }] of clients.tallies) {
    const why = [...reasons].map(([reason, count]) => `${count} × ${reason}`).join(', ');
    rows.push({ work: kind, figure: `${done} done, ${failed} failed${why ? `: ${why}` : ''}` });
  }
  rows.push({
    work: `sockets of the gateway, before and ${QUIET_MS / 1_000} s after`,
    figure: `${before.sockets} and ${after.sockets} (all descriptors: ${before.fds} and ${after.fds})`,
    target: 'no more than before',
    met: after.sockets <= before.sockets && after.fds <= before.fds,
  });
  rows.push({
    work: `resident memory, second and last third of ${minutes} min with ${kills} kills`,
    figure: `${mebibytes(early)} and ${mebibytes(late)} MiB`,
    target: 'at most 10 % more',
    met: late <= early * 1.1,
  });
  await report('soak', rows);
  if (rows.some(({ met }) => met === false)) process.exitCode = 1;
} finally {
  stopping = true;
  for (const child of upstreams.values()) child.kill('SIGKILL');
  await server.dispose();
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
