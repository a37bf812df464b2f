import { join } from 'node:path';
import { createRemoteCatalogue, type RemoteCatalogue } from '@portolan/client';
import type { ServerContext } from './server-context.ts';

/** Follows a registry elsewhere; resolves with the first state, from there or from the last copy on disk. */
export async function startMirror(context: ServerContext, url: string): Promise<RemoteCatalogue> {
  const { clock, random, metrics } = context;
  const mirror = createRemoteCatalogue(
    { url, snapshotPath: join(context.dataDir, 'mirror.json') },
    { clock, random, logger: context.logger.child({ component: 'mirror' }) },
  );
  context.stack.push('mirror', () => mirror.close());
  const stale = metrics.gauge({
    name: 'portolan_mirror_stale',
    help: '1 while the registry does not answer and the last known state is served.',
  });
  metrics.onCollect(() => stale.labels().set(mirror.stale ? 1 : 0));
  const release = context.readiness.hold(`no state yet from the registry at ${url}`);
  const stop = (): void => void mirror.close();
  context.stopping.addEventListener('abort', stop);
  try {
    await mirror.ready;
    release();
    return mirror;
  } finally {
    context.stopping.removeEventListener('abort', stop);
  }
}
