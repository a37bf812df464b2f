import type { HttpProtocolAdapter } from '@portolan/core';
import { compileControlLimits, compileControlOverload } from '../config/compile-config.ts';
import { createControlListener } from '../control/control-listener.ts';
import { createSystemAdapter } from '../control/system-adapter.ts';
import { bind } from '../lifecycle/bind.ts';
import type { ServerContext } from './server-context.ts';
import { describeServer } from './server-status.ts';

export interface ControlPart {
  /** Answers with these besides the system paths. */
  mount(adapters: readonly HttpProtocolAdapter[]): void;
  setAllowedHosts(allowedHosts: readonly string[]): void;
  /** Idempotent. */
  close(): Promise<void>;
}

const CLOSE_LIMIT_MS = 5_000;

/** Brings the control port up with what it can answer before anything else runs. */
export async function startControl(context: ServerContext): Promise<ControlPart> {
  const { config, metrics, readiness } = context;
  const listener = createControlListener(
    {
      name: 'control',
      limits: compileControlLimits(config),
      allowedHosts: config.control.allowedHosts,
      overload: compileControlOverload(config),
    },
    { ...context, logger: context.logger.child({ component: 'control' }) },
  );
  // A gateway of its own has no API.
  let starting = config.role !== 'gateway';
  const system = createSystemAdapter({
    readiness,
    starting: () => starting,
    ...(config.metrics.enabled ? { metrics } : {}),
    about: () => describeServer(context),
  });
  listener.mount([system]);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= listener.close(Math.min(CLOSE_LIMIT_MS, context.config.shutdown.timeout));
    return closing;
  };
  const what = { name: 'API and metrics', setting: 'control.listen', flag: '--control' };
  context.listeners.control = await bind(what, config.control.listen, (address) =>
    listener.listen(address),
  );
  context.stack.push('control port', close);
  return {
    mount(adapters) {
      listener.mount([system, ...adapters]);
      starting = false;
    },
    setAllowedHosts: (allowedHosts) => listener.setAllowedHosts(allowedHosts),
    close,
  };
}
