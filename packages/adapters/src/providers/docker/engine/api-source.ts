import { GATEWAY_BRIDGE } from '../address/gateway-bridge.ts';
import type { EngineEvent } from '../facts.ts';
import { negotiateApiVersion } from './api-version.ts';
import type { DockerSource } from './docker-source.ts';
import { type EngineClient, EngineError } from './engine-client.ts';
import {
  parseContainer,
  parseEvent,
  parseInfo,
  parseNetwork,
  parseNetworks,
  parseNodes,
  parseServices,
  parseSummaries,
  parseTasks,
  parseVersion,
} from './engine-json.ts';

const EVENT_FILTERS = { type: ['container', 'network', 'service', 'node'] };
const LINE_LIMIT = 1024 * 1024;
const RECORD_SEPARATOR = String.fromCharCode(0x1e);

/** Asks the engine behind `client`. */
export function createApiSource(client: EngineClient): DockerSource {
  let base = '';
  const get = (path: string, signal: AbortSignal) => client.get(`${base}${path}`, signal);

  return {
    async connect(signal) {
      const spoken = parseVersion(await client.get('/version', signal));
      const apiVersion = negotiateApiVersion(spoken);
      base = `/v${apiVersion}`;
      const { hidden, swarm } = await readInfo(signal);
      // A proxy may let containers be asked for and not the swarm: then tasks are containers like others.
      const mayAsk = swarm !== undefined && (await ifAllowed(get('/nodes', signal))) !== undefined;
      return {
        apiVersion,
        version: spoken.version,
        hidden,
        silentStops: spoken.silentStops,
        ...(mayAsk ? { swarm } : {}),
      };
    },
    async ping(signal) {
      await get('/version', signal);
    },
    async containers(signal) {
      return parseSummaries(await get('/containers/json?all=1', signal));
    },
    async inspect(id, signal) {
      try {
        return parseContainer(await get(`/containers/${encodeURIComponent(id)}/json`, signal));
      } catch (error) {
        if (error instanceof EngineError && error.status === 404) return undefined;
        throw error;
      }
    },
    async networks(signal) {
      const networks = parseNetworks((await ifAllowed(get('/networks', signal))) ?? []);
      if (!networks.some(({ name }) => name === GATEWAY_BRIDGE)) return networks;
      const inspected = await ifAllowed(get(`/networks/${GATEWAY_BRIDGE}`, signal));
      if (inspected === undefined) return networks;
      return networks.map((network) =>
        network.name === GATEWAY_BRIDGE ? parseNetwork(inspected) : network,
      );
    },
    async swarm(signal) {
      const running = encodeURIComponent(JSON.stringify({ 'desired-state': ['running'] }));
      const [services, tasks, nodes] = await Promise.all([
        get('/services', signal),
        get(`/tasks?filters=${running}`, signal),
        get('/nodes', signal),
      ]);
      return {
        services: parseServices(services),
        tasks: parseTasks(tasks),
        nodes: parseNodes(nodes),
      };
    },
    events(since, signal) {
      const filters = encodeURIComponent(JSON.stringify(EVENT_FILTERS));
      const from = since === undefined ? '' : `&since=${toSeconds(since)}`;
      const chunks = client.stream(`${base}/events?filters=${filters}${from}`, signal);
      const opened = chunks.then(() => undefined);
      // Whoever reads the events is told by them.
      opened.catch(() => undefined);
      return { opened, events: readEvents(chunks) };
    },
    close: () => client.close(),
  };

  async function readInfo(signal: AbortSignal): Promise<ReturnType<typeof parseInfo>> {
    const info = await ifAllowed(get('/info', signal));
    return info === undefined ? { hidden: false } : parseInfo(info);
  }
}

/** What a proxy in front of the socket keeps to itself, or what went meanwhile, is undefined. */
async function ifAllowed(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof EngineError && (error.status === 403 || error.status === 404)) {
      return undefined;
    }
    throw error;
  }
}

/** Lines of JSON, or RFC 7464 sequences of it (API 1.53). */
async function* readEvents(
  chunks: Promise<AsyncIterable<Uint8Array>>,
): AsyncGenerator<EngineEvent, void, void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of await chunks) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.replaceAll(RECORD_SEPARATOR, '\n').split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_LIMIT) throw new Error('an event is longer than 1 MiB');
    for (const line of lines) {
      // What runs inside a container, a HEALTHCHECK among it, is most of what happens and says nothing here.
      const silent = line.trim() === '' || line.includes('"Action":"exec_');
      const event = silent ? undefined : parseEvent(line);
      if (event) yield event;
    }
  }
}

/** As the engine takes a time with its fraction. */
function toSeconds(timeNano: string): string {
  const padded = timeNano.padStart(10, '0');
  return `${padded.slice(0, -9)}.${padded.slice(-9)}`;
}
