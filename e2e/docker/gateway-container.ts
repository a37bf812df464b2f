import { dirname } from 'node:path';
import { type DockerEngine, WITH_NODE } from '../support/docker-engine.ts';
import { eventually } from '../support/eventually.ts';
import { BIN } from '../support/portolan-process.ts';

/** The server in a container named `gateway`, and where it is reached from here. */
export interface GatewayContainer {
  readonly control: string;
  readonly gateway: string;
}

/** Starts the built server in a container that has the folder of the engine's socket, as its guide says. */
export async function startGatewayContainer(
  engine: DockerEngine,
  options: readonly string[],
): Promise<GatewayContainer> {
  const folder = dirname(engine.socketPath);
  const published = ['-p', '127.0.0.1::8500', '-p', '127.0.0.1::8080'];
  await engine.start(
    'gateway',
    [...WITH_NODE, '-v', `${folder}:/engine:ro`, ...published, ...options],
    [
      '/node/node',
      BIN,
      'serve',
      '--data-dir',
      '/tmp/data',
      '--control',
      '0.0.0.0:8500',
      '--gateway',
      '0.0.0.0:8080',
      '--docker',
      'unix:///engine/docker.sock',
    ],
  );
  const origin = async (port: number): Promise<string> => {
    const [line = ''] = (await engine.docker('port', 'gateway', String(port))).split('\n');
    return `http://${line}`;
  };
  const found = { control: await origin(8500), gateway: await origin(8080) };
  try {
    await eventually(
      async () => ((await fetch(`${found.control}/readyz`)).ok ? true : undefined),
      30_000,
      100,
    );
  } catch (error) {
    throw new Error(`the gateway does not start: ${await engine.docker('logs', 'gateway')}`, {
      cause: error,
    });
  }
  return found;
}
