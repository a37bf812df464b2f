import { lookup } from 'node:dns/promises';
import type { CatalogueReader } from '@portolan/core';
import type { Gateway } from '@portolan/gateway';
import { compileGatewayOptions } from '../config/compile-gateway-options.ts';
import { compileTcpListener } from '../config/compile-tcp-listener.ts';
import type { CarriedListenerConfig } from '../config/listener-schema.ts';
import type { PortolanConfig } from '../config/schema.ts';
import type { ListenAddress } from '../config/value-types.ts';
import { bind } from '../lifecycle/bind.ts';
import { startAccessLog } from './access-log.ts';
import { createChallengeFiles } from './acme-files.ts';
import { readCookieKey } from './cookie-key.ts';
import { startHttpsListener } from './https-listener.ts';
import type { ServerContext } from './server-context.ts';

/** Left of the shutdown's time for what closes after the gateway. */
const RESERVE_MS = 2_000;

/** Starts the data plane over `catalogue`. */
export async function startGateway(
  context: ServerContext,
  catalogue: CatalogueReader,
  /** Signs the cookies of sessions where no file does. */
  ownKey?: Buffer,
): Promise<Gateway> {
  const { createGateway } = await import('@portolan/gateway');
  const { cookieKeyFile } = context.config.gateway;
  const accessLog = await startAccessLog(context);
  const sessionKey = cookieKeyFile === undefined ? ownKey : readCookieKey(cookieKeyFile);
  const options = {
    ...compileGatewayOptions(context.config),
    ...(sessionKey ? { sessionKey } : {}),
    ...(accessLog ? { accessLog } : {}),
    ...(usesAcme(context.config)
      ? { findChallenge: createChallengeFiles(context.dataDir).find }
      : {}),
  };
  const gateway = createGateway(options, {
    ...context,
    catalogue,
    logger: context.logger.child({ component: 'gateway' }),
    resolve: async (hostName) => {
      const found = await lookup(hostName, { all: true, order: 'verbatim' });
      return found.map(({ address }) => address);
    },
  });
  context.stack.push('gateway', async () => {
    const { gateway: settings, shutdown } = context.config;
    const drainMs = Math.min(settings.drain, Math.max(0, shutdown.timeout - RESERVE_MS));
    await gateway.close({ drainMs });
  });
  const what = { name: 'gateway', setting: 'gateway.listen', flag: '--gateway' };
  context.listeners.gateway = await bind(what, context.config.gateway.listen, ({ host, port }) =>
    gateway.listen(host, port, { reusePort: context.sharesPorts }),
  );
  context.listeners.more = [];
  for (const [at, listener] of context.config.gateway.listeners.entries()) {
    const setting = `gateway.listeners[${at}].listen`;
    const { name, protocol } = listener;
    const { host, port } =
      listener.protocol === 'https'
        ? await startHttpsListener(context, gateway, listener, setting)
        : await startTcpListener(context, gateway, listener, setting);
    context.listeners.more.push({ host, port, name, protocol });
  }
  return gateway;
}

function usesAcme({ gateway }: PortolanConfig): boolean {
  return gateway.listeners.some((one) => one.protocol === 'https' && one.acme !== undefined);
}

function startTcpListener(
  context: ServerContext,
  gateway: Gateway,
  listener: CarriedListenerConfig,
  setting: string,
): Promise<ListenAddress> {
  const what = { name: `gateway listener ${listener.name}`, setting, flag: undefined };
  const shared = { reusePort: context.sharesPorts };
  return bind(what, listener.listen, ({ host, port }) =>
    gateway.listenTcp(compileTcpListener(listener), host, port, shared),
  );
}
