import { connect } from 'node:net';
import { wait } from '@portolan/client';
import type { Clock } from '@portolan/core';
import type { CheckOption } from '../check-option.ts';
import { toAuthority } from '../output/instance-columns.ts';
import { runScript } from './script-check.ts';

export interface ReadinessOptions {
  /** The first check decides; without one the port has to accept. */
  readonly check: CheckOption | undefined;
  /** Where the application listens, as far as it is known now. */
  readonly address: () => string;
  readonly port: number;
  readonly startTimeoutMs: number;
  readonly timeoutMs: number;
  /** Aborts when the application ends or the agent is to stop. */
  readonly signal: AbortSignal;
}

const PAUSE_MS = 200;

/** Asks again and again until the application answers; false when the time is over or `signal` aborts. */
export async function untilReady(options: ReadinessOptions, clock: Clock): Promise<boolean> {
  const deadlineMs = clock.now() + options.startTimeoutMs;
  while (!options.signal.aborted && clock.now() < deadlineMs) {
    if (await isReady(options, clock)) return !options.signal.aborted;
    await wait(PAUSE_MS, clock, options.signal);
  }
  return false;
}

async function isReady(options: ReadinessOptions, clock: Clock): Promise<boolean> {
  const { check, port } = options;
  const address = options.address();
  const timeLimit = new AbortController();
  const timer = clock.setTimer(options.timeoutMs, () => timeLimit.abort());
  const signal = AbortSignal.any([options.signal, timeLimit.signal]);
  try {
    if (check?.kind === 'script')
      return (await runScript(check.target, signal)).status !== 'critical';
    if (check?.kind === 'http') {
      const path = check.target || '/';
      const url = path.startsWith('/') ? `http://${toAuthority(address, port)}${path}` : path;
      return await answersHttp(url, signal);
    }
    if (check?.kind === 'tcp' && check.target !== '') {
      const at = check.target.lastIndexOf(':');
      const host = check.target.slice(0, at).replace(/^\[|\]$/g, '');
      return await acceptsConnection(host, Number(check.target.slice(at + 1)), signal);
    }
    return await acceptsConnection(address, port, signal);
  } finally {
    timer.cancel();
  }
}

async function answersHttp(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, { redirect: 'manual', signal });
    await response.body?.cancel();
    return response.status >= 200 && response.status < 300;
  } catch {
    return false;
  }
}

function acceptsConnection(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (accepted: boolean) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(accepted);
    };
    const onAbort = () => finish(false);
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) finish(false);
  });
}
