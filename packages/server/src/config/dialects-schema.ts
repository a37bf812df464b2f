import { z } from 'zod';
import { listenAddress } from './value-types.ts';

const enabled = z.boolean({ error: 'expected true or false' });

/** A dialect over HTTP: on the control port, or on a port of its own. */
const overHttp = z.strictObject({
  enabled,
  /** A port of its own; absent: it is served on the control port. */
  listen: listenAddress.optional(),
});

/** A dialect with a listener of its own. */
const overSocket = z.strictObject({
  enabled,
  listen: listenAddress,
});

/** The languages of other registries. What is not enabled is never loaded. */
export const dialects = z.strictObject({
  consul: overHttp,
  eureka: overHttp,
  nacos: overHttp,
  dns: overSocket,
  grpc: overSocket,
});
