import { readFileSync } from 'node:fs';
import type { Gateway } from '@portolan/gateway';
import type { HttpsListenerConfig } from '../config/listener-schema.ts';
import type { ListenAddress } from '../config/value-types.ts';
import { bind } from '../lifecycle/bind.ts';
import { StartError } from '../lifecycle/start-error.ts';
import { certificateFiles } from './acme-files.ts';
import type { ServerContext } from './server-context.ts';

/** Starts an HTTPS listener; its files are read again at every reload. */
export async function startHttpsListener(
  context: ServerContext,
  gateway: Gateway,
  listener: HttpsListenerConfig,
  setting: string,
): Promise<ListenAddress> {
  const what = { name: `gateway listener ${listener.name}`, setting, flag: undefined };
  const { clientAuth, minVersion } = listener;
  const options = {
    clientAuth,
    minVersion,
    maxConnections: listener.connections,
    handshakeTimeoutMs: listener.handshakeTimeout,
    proxyProtocolFrom: listener.proxyProtocolFrom,
  };
  const files = readFiles(context, listener);
  const bound = await bind(what, listener.listen, async ({ host, port }) => {
    const listening = { reusePort: context.sharesPorts };
    try {
      return await gateway.listenTls({ ...options, ...files }, host, port, listening);
    } catch (cause) {
      if (cause instanceof Error && !('code' in cause)) {
        throw new StartError(`gateway listener ${listener.name}: ${cause.message}`, { cause });
      }
      throw cause;
    }
  });
  context.onReload.push(() => {
    try {
      bound.update(readFiles(context, listener));
    } catch (error) {
      context.logger.error(
        { listener: listener.name, err: error },
        'the certificates cannot be used; the ones before stay in force',
      );
    }
  });
  return bound;
}

function readFiles(
  { dataDir }: ServerContext,
  { name, certificates, acme, clientCaFile }: HttpsListenerConfig,
) {
  const all =
    acme === undefined ? certificates : [...certificates, certificateFiles(dataDir, name)];
  return {
    certificates: all.map(({ certFile, keyFile }) => ({
      certPem: read(certFile),
      keyPem: read(keyFile),
    })),
    ...(clientCaFile === undefined ? {} : { clientCaPem: read(clientCaFile) }),
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`a certificate of the gateway cannot be read: ${reason}`, { cause });
  }
}
