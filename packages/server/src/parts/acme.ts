import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newAccountKey, obtainCertificate, placeholderCertificate } from '@portolan/adapters';
import { backoffDelayMs } from '@portolan/client';
import type { TimerHandle } from '@portolan/core';
import type { HttpsListenerConfig } from '../config/listener-schema.ts';
import { StartError } from '../lifecycle/start-error.ts';
import {
  acmeFolder,
  certificateFiles,
  createChallengeFiles,
  endOfCertificate,
  keepCertificate,
  readIfThere,
  writeWhole,
} from './acme-files.ts';
import type { ServerContext } from './server-context.ts';

const LOOK_EVERY_MS = 12 * 3_600_000;
const RETRY = { baseMs: 60_000, capMs: 3_600_000 };

type AcmeListener = HttpsListenerConfig & {
  readonly acme: NonNullable<HttpsListenerConfig['acme']>;
};

function acmeListeners({ config }: ServerContext): readonly AcmeListener[] {
  return config.gateway.listeners.flatMap((listener) =>
    listener.protocol === 'https' && listener.acme !== undefined
      ? [{ ...listener, acme: listener.acme }]
      : [],
  );
}

/** Sees to it that each listener has a certificate to start with, if only one that nobody trusts. */
export async function prepareAcme(context: ServerContext): Promise<void> {
  for (const { name, acme } of acmeListeners(context)) {
    const folder = acmeFolder(context.dataDir);
    const files = certificateFiles(context.dataDir, name);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const missing = (await readIfThere(files.certFile)) === undefined;
      if (missing) {
        await keepCertificate(files, await placeholderCertificate(acme.domains[0] ?? name));
      }
    } catch (cause) {
      throw new StartError(`the certificates by ACME cannot be kept in ${folder}: ${cause}`, {
        cause,
      });
    }
  }
}

/** Orders what is missing or soon ends, now and from time to time; `onIssued` puts it in force. */
export function startAcme(context: ServerContext, onIssued: () => Promise<void>): void {
  const { clock, random, stack, stopping } = context;
  const logger = context.logger.child({ component: 'acme' });
  const board = createChallengeFiles(context.dataDir);
  const timers = new Map<string, TimerHandle>();
  let stopped = false;
  for (const listener of acmeListeners(context)) look(listener, 0);
  stack.push('acme', async () => {
    stopped = true;
    for (const timer of timers.values()) timer.cancel();
  });

  function look(listener: AcmeListener, failures: number): void {
    renew(listener)
      .then(() => later(listener, LOOK_EVERY_MS, 0))
      .catch((err: unknown) => {
        const delayMs = backoffDelayMs(failures + 1, RETRY, random);
        const { name } = listener;
        logger.error(
          { listener: name, err, againInMs: Math.round(delayMs) },
          'no certificate was issued; the one before stays in force',
        );
        later(listener, delayMs, failures + 1);
      });
  }

  function later(listener: AcmeListener, delayMs: number, failures: number): void {
    if (stopped || stopping.aborted) return;
    timers.set(
      listener.name,
      clock.setTimer(delayMs, () => look(listener, failures)),
    );
  }

  async function renew({ name, acme }: AcmeListener): Promise<void> {
    const files = certificateFiles(context.dataDir, name);
    const endsMs = await endOfCertificate(files, acme.domains);
    if (endsMs - clock.wallNow() > acme.renewBefore) return;
    const certificate = await obtainCertificate(
      {
        directoryUrl: acme.directory,
        accountKeyPem: await accountKey(),
        email: acme.email,
        caPem: acme.caFile === undefined ? undefined : await readFile(acme.caFile, 'utf8'),
        names: acme.domains,
      },
      board,
    );
    if (stopped) return;
    await keepCertificate(files, certificate);
    await onIssued();
    logger.info({ listener: name, names: acme.domains }, 'a certificate was issued');
  }

  async function accountKey(): Promise<string> {
    const path = join(acmeFolder(context.dataDir), 'account.key');
    const kept = await readIfThere(path);
    if (kept !== undefined) return kept;
    const made = await newAccountKey();
    await writeWhole(path, made);
    return made;
  }
}
