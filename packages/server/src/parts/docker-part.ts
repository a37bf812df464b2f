import {
  type ContainerBoard,
  createDockerProvider,
  lookupHost,
  parseEngineAddress,
} from '@portolan/adapters';
import { createProviderAggregator, type LocalRegistry } from '@portolan/registry';
import { StartError } from '../lifecycle/start-error.ts';
import type { ServerContext } from './server-context.ts';

export interface DockerPart {
  readonly board: ContainerBoard;
}

/** A start does not wait longer than this for an engine: what was known before is served meanwhile. */
const FIRST_LOOK_MS = 3_000;

/** Follows the configured Docker Engine; resolves when its containers are registered, or when it keeps us waiting. */
export async function startDocker(
  context: ServerContext,
  registry: LocalRegistry,
): Promise<DockerPart> {
  const { docker } = context.config;
  const logger = context.logger.child({ component: 'docker' });
  const aggregator = createProviderAggregator({}, { ...context, registry, logger });
  context.stack.push('providers', () => aggregator.close());
  const provider = createDockerProvider(
    {
      ...docker,
      engine: readEngine(docker.engine),
      watch: { resyncMs: docker.resync },
    },
    { ...context, logger, resolve: lookupHost },
  );
  const first = aggregator.start(provider);
  const patience = Promise.withResolvers<void>();
  const timer = context.clock.setTimer(FIRST_LOOK_MS, patience.resolve);
  await Promise.race([first, patience.promise]);
  timer.cancel();
  return {
    board: {
      view: () => provider.view(),
      refusals: () => aggregator.refusals(provider.name),
    },
  };
}

function readEngine(setting: string | undefined) {
  try {
    return parseEngineAddress(setting === 'auto' ? undefined : setting, process.env);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new StartError('the Docker Engine cannot be addressed', {
      hints: [error.message, 'Look at docker.engine, DOCKER_HOST and DOCKER_CERT_PATH.'],
    });
  }
}
