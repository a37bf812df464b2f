import type { PortolanConfigInput } from './schema.ts';

/** The first layer. What is absent here has no default. */
export const DEFAULTS: PortolanConfigInput = {
  role: 'both',
  control: {
    listen: '127.0.0.1:8500',
    allowedHosts: [],
    limits: {
      connections: 20_000,
      head: '16KiB',
      headTimeout: '10s',
      bodyTimeout: '30s',
      idleTimeout: '75s',
      watchers: 10_000,
    },
  },
  gateway: {
    listen: '127.0.0.1:8080',
    listeners: [],
    http2: true,
    trustedProxies: [],
    defaultBalancer: 'weighted-round-robin',
    limits: { connections: 20_000, head: '32KiB', requestsPerEndpoint: 1_024 },
    timeouts: { head: '10s', idle: '75s', connect: '2s', request: '60s' },
    retries: { attempts: 2, budgetShare: 0.2, budgetMinimum: 10 },
    outlier: {
      enabled: true,
      consecutiveFailures: 5,
      baseEjection: '5s',
      maxEjection: '5m',
      maxEjectedShare: 0.5,
    },
    drain: '20s',
  },
  store: { dataDir: '.portolan' },
  registry: {
    leases: {
      default: { heartbeat: '30s', ttl: '90s' },
      fast: { heartbeat: '5s', ttl: '10s' },
      defaultProfile: 'default',
    },
    checks: {
      interval: '10s',
      timeout: '5s',
      rise: 1,
      fall: 3,
      maxConcurrent: 2_048,
      jitterShare: 0.05,
    },
    protection: {
      enabled: true,
      minInstances: 4,
      maxLossShare: 0.5,
      window: '1m',
      maxDuration: '15m',
      steady: '2m',
      evictShare: 0.1,
    },
    onAddressConflict: 'supersede',
    events: { windowSize: 10_000 },
  },
  network: {
    allow: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'],
    allowLoopback: 'auto',
  },
  checks: { scripts: false },
  services: [],
  routes: [],
  policies: [],
  log: { level: 'info', format: 'auto' },
  metrics: { enabled: true, maxChildren: 1_000 },
  shutdown: { timeout: '30s' },
};
