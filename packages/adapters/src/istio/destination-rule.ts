import type { DocumentReader, Members, Path } from '../apply/document-reader.ts';
import { hostService } from './host-service.ts';

/** The body of a traffic policy, and whose it is. */
export interface CompiledPolicy {
  readonly service: string;
  readonly namespace: string;
  readonly body: Members;
}

const SIMPLE: Members = {
  ROUND_ROBIN: 'weighted-round-robin',
  LEAST_REQUEST: 'least-request',
  LEAST_CONN: 'least-request',
  RANDOM: 'random',
  UNSPECIFIED: undefined,
};

/** `DestinationRule` (networking.istio.io) as a traffic policy's body. */
export function compileDestinationRule(
  reader: DocumentReader,
  spec: unknown,
  namespace: string,
): CompiledPolicy {
  const path: Path = ['spec'];
  const rule = reader.members(spec, path, ['host', 'subsets', 'trafficPolicy', 'exportTo'], {
    workloadSelector: 'has no counterpart: a policy holds for every caller of the service',
  });
  const owner = hostService(reader, rule.host, [...path, 'host'], namespace);
  if (rule.exportTo !== undefined) reader.warn([...path, 'exportTo'], 'is not applied');
  const subsets: Record<string, unknown> = {};
  for (const [at, item] of reader.list(rule.subsets, [...path, 'subsets']).entries()) {
    const here = [...path, 'subsets', at];
    const subset = reader.members(item, here, ['name', 'labels', 'trafficPolicy']);
    const name = reader.text(subset.name, [...here, 'name']);
    if (name === '') reader.refuse(here, 'a subset needs a name');
    subsets[name] = {
      labels: subset.labels ?? {},
      ...settings(reader, subset.trafficPolicy, [...here, 'trafficPolicy']),
    };
  }
  return {
    ...owner,
    body: { ...settings(reader, rule.trafficPolicy, [...path, 'trafficPolicy']), subsets },
  };
}

function settings(reader: DocumentReader, value: unknown, path: Path): Members {
  const policy = reader.members(
    value,
    path,
    ['loadBalancer', 'connectionPool', 'outlierDetection', 'tls'],
    {
      portLevelSettings: 'has no counterpart: register the ports as services of their own',
      tunnel: 'has no counterpart',
      proxyProtocol: 'write transport.proxyProtocol in a native policy instead',
    },
  );
  const pool = connectionPool(reader, policy.connectionPool, [...path, 'connectionPool']);
  const tls = tlsSettings(reader, policy.tls, [...path, 'tls']);
  const transport = { ...pool.transport, ...(tls ? { tls } : {}) };
  return {
    ...loadBalancer(reader, policy.loadBalancer, [...path, 'loadBalancer']),
    ...(Object.keys(pool.limits).length > 0 ? { limits: pool.limits } : {}),
    ...(Object.keys(transport).length > 0 ? { transport } : {}),
    ...outlier(reader, policy.outlierDetection, [...path, 'outlierDetection']),
  };
}

function loadBalancer(reader: DocumentReader, value: unknown, path: Path): Members {
  const balancer = reader.members(
    value,
    path,
    ['simple', 'consistentHash', 'warmupDurationSecs', 'warmup'],
    {
      localityLbSetting: 'write locality in a native policy instead',
    },
  );
  const warmup = reader.members(balancer.warmup, [...path, 'warmup'], ['duration']);
  const slowStart = balancer.warmupDurationSecs ?? warmup.duration;
  const told: Record<string, unknown> = slowStart === undefined ? {} : { slowStart };
  if (typeof balancer.simple === 'string') {
    if (!(balancer.simple in SIMPLE)) {
      reader.refuse(
        [...path, 'simple'],
        `has no counterpart; use one of ${Object.keys(SIMPLE).slice(0, 4).join(', ')}`,
      );
    } else if (SIMPLE[balancer.simple] !== undefined) told.balancer = SIMPLE[balancer.simple];
  }
  if (balancer.consistentHash === undefined) return told;
  const here = [...path, 'consistentHash'];
  const hash = reader.members(balancer.consistentHash, here, [
    'httpHeaderName',
    'httpCookie',
    'useSourceIp',
    'httpQueryParameterName',
    'maglev',
    'ringHash',
    'minimumRingSize',
  ]);
  const cookie = reader.members(hash.httpCookie, [...here, 'httpCookie'], ['name', 'ttl', 'path']);
  told.balancer = hash.maglev === undefined ? 'ring-hash' : 'maglev';
  if (hash.httpHeaderName !== undefined) told.hash = { header: hash.httpHeaderName };
  else if (hash.httpQueryParameterName !== undefined) {
    told.hash = { query: hash.httpQueryParameterName };
  } else if (hash.httpCookie !== undefined) {
    const { name, ttl, path: cookiePath } = cookie;
    told.hash = {
      cookie: name,
      ...(ttl === undefined ? {} : { ttl }),
      ...(cookiePath === undefined ? {} : { path: cookiePath }),
    };
  } else told.hash = { source: true };
  return told;
}

function connectionPool(
  reader: DocumentReader,
  value: unknown,
  path: Path,
): { readonly limits: Members; readonly transport: Members } {
  const pool = reader.members(value, path, ['http', 'tcp']);
  const http = reader.members(
    pool.http,
    [...path, 'http'],
    [
      'http2MaxRequests',
      'maxRetries',
      'h2UpgradePolicy',
      'http1MaxPendingRequests',
      'maxRequestsPerConnection',
      'idleTimeout',
    ],
  );
  const tcp = reader.members(
    pool.tcp,
    [...path, 'tcp'],
    ['maxConnections', 'connectTimeout', 'tcpKeepalive', 'idleTimeout'],
  );
  const limits: Record<string, unknown> = {};
  const transport: Record<string, unknown> = {};
  if (http.http2MaxRequests !== undefined) limits.maxRequests = http.http2MaxRequests;
  if (http.maxRetries !== undefined) limits.maxRetries = http.maxRetries;
  const perEndpoint: readonly [Members, string, string, string][] = [
    [tcp, 'tcp', 'maxConnections', 'maxConnectionsPerEndpoint'],
    [http, 'http', 'http1MaxPendingRequests', 'maxPendingPerEndpoint'],
  ];
  for (const [members, part, name, member] of perEndpoint) {
    if (members[name] === undefined) continue;
    limits[member] = members[name];
    reader.warn([...path, part, name], 'is counted at each instance, not at the whole service');
  }
  if (http.h2UpgradePolicy === 'UPGRADE') transport.protocol = 'h2';
  if (tcp.connectTimeout !== undefined) transport.connectTimeout = tcp.connectTimeout;
  const unused: readonly [Members, string, readonly string[]][] = [
    [http, 'http', ['maxRequestsPerConnection', 'idleTimeout']],
    [tcp, 'tcp', ['tcpKeepalive', 'idleTimeout']],
  ];
  for (const [members, part, names] of unused) {
    for (const name of names) {
      if (members[name] !== undefined) reader.warn([...path, part, name], 'is not applied');
    }
  }
  return { limits, transport };
}

function outlier(reader: DocumentReader, value: unknown, path: Path): Members {
  if (value === undefined) return {};
  const rule = reader.members(value, path, [
    'consecutive5xxErrors',
    'consecutiveGatewayErrors',
    'baseEjectionTime',
    'maxEjectionPercent',
    'interval',
    'minHealthPercent',
    'splitExternalLocalOriginErrors',
    'consecutiveLocalOriginFailures',
  ]);
  for (const name of ['splitExternalLocalOriginErrors', 'consecutiveLocalOriginFailures']) {
    if (rule[name] !== undefined) reader.warn([...path, name], 'is not applied');
  }
  return {
    outlier: {
      ...(rule.consecutiveGatewayErrors === undefined
        ? {}
        : { consecutiveFailures: rule.consecutiveGatewayErrors }),
      ...(rule.consecutive5xxErrors === undefined
        ? {}
        : { consecutive5xx: rule.consecutive5xxErrors }),
      ...(rule.interval === undefined ? {} : { interval: rule.interval }),
      ...(rule.baseEjectionTime === undefined ? {} : { baseEjection: rule.baseEjectionTime }),
      ...(typeof rule.maxEjectionPercent === 'number'
        ? { maxEjectedShare: rule.maxEjectionPercent / 100 }
        : {}),
    },
    ...(typeof rule.minHealthPercent === 'number'
      ? { panicShare: rule.minHealthPercent / 100 }
      : {}),
  };
}

function tlsSettings(reader: DocumentReader, value: unknown, path: Path): Members | undefined {
  if (value === undefined) return undefined;
  const tls = reader.members(value, path, [
    'mode',
    'sni',
    'caCertificates',
    'clientCertificate',
    'privateKey',
    'insecureSkipVerify',
  ]);
  if (tls.mode === 'DISABLE' || tls.mode === undefined) return undefined;
  if (tls.mode !== 'SIMPLE' && tls.mode !== 'MUTUAL') {
    reader.refuse([...path, 'mode'], 'has no counterpart; use DISABLE, SIMPLE or MUTUAL');
    return undefined;
  }
  return {
    ...(tls.sni === undefined ? {} : { serverName: tls.sni }),
    ...(tls.caCertificates === undefined ? {} : { caFile: tls.caCertificates }),
    ...(tls.clientCertificate === undefined ? {} : { certFile: tls.clientCertificate }),
    ...(tls.privateKey === undefined ? {} : { keyFile: tls.privateKey }),
    ...(tls.insecureSkipVerify === true ? { verify: false } : {}),
  };
}
