import { createServer } from 'node:net';
import type { TcpProbeConfig } from '@portolan/core';
import { probeContract } from '@portolan/testing/contracts/probe-contract';
import { createTcpProbe } from './tcp-probe.ts';
import { freePort, Loopback } from './test-probes/loopback.ts';
import { deps } from './test-probes/probe-fixtures.ts';

probeContract<TcpProbeConfig>(
  'tcp',
  async () => {
    const good = await Loopback.listen(createServer());
    const refused = await freePort();
    // Only a name can keep this probe waiting on loopback.
    const never = deps({
      resolve: (host) =>
        host === 'stuck.test' ? new Promise<string>(() => undefined) : deps().resolve(host),
    });
    const tcp = (host: string, port: number): TcpProbeConfig => ({ kind: 'tcp', host, port });
    return {
      probe: createTcpProbe(never),
      healthy: tcp('127.0.0.1', good.port),
      unhealthy: {
        'a refused connection': tcp('127.0.0.1', refused),
        'a name that does not exist': tcp('absent.test', 1),
        'a metadata address': tcp('169.254.169.254', 80),
      },
      hanging: { 'the name server is silent': tcp('stuck.test', 1) },
      untilReleased: () => good.untilReleased(),
      close: () => good.close(),
    };
  },
  {
    unhealthy: ['a refused connection', 'a name that does not exist', 'a metadata address'],
    hanging: ['the name server is silent'],
  },
);
