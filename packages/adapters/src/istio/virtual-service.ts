import type { DocumentReader, Members, Path } from '../apply/document-reader.ts';
import { hostService } from './host-service.ts';
import { compileMatch } from './virtual-service-match.ts';

/** The body of a route, and its name. */
export interface CompiledRouteBody {
  readonly name: string;
  readonly body: Members;
}

const RETRY_WORDS: Members = {
  'connect-failure': 'connect-failure',
  'refused-stream': 'refused-stream',
  reset: 'reset',
  'gateway-error': 'gateway-error',
  '5xx': '5xx',
  'retriable-4xx': 'retriable-4xx',
  cancelled: 'grpc-cancelled',
  'deadline-exceeded': 'grpc-deadline-exceeded',
  internal: 'grpc-internal',
  'resource-exhausted': 'grpc-resource-exhausted',
  unavailable: 'grpc-unavailable',
};
/** Rules of one document keep their order by priority; a hundred of them fit. */
const FIRST_PRIORITY = 1_000;

/** `VirtualService` (networking.istio.io): a route for each of its rules, since the first that matches is the one. */
export function compileVirtualService(
  reader: DocumentReader,
  spec: unknown,
  own: { readonly name: string; readonly namespace: string },
): readonly CompiledRouteBody[] {
  const path: Path = ['spec'];
  const service = reader.members(spec, path, ['hosts', 'http', 'gateways', 'exportTo'], {
    tcp: 'has no counterpart: write a listener with protocol tcp in the gateway’s configuration',
    tls: 'has no counterpart: write a listener with protocol tls-passthrough in the gateway’s configuration',
  });
  const hosts = reader
    .list(service.hosts, [...path, 'hosts'])
    .map((host, at) => reader.text(host, [...path, 'hosts', at]))
    .filter((host) => host !== '*');
  for (const name of ['gateways', 'exportTo']) {
    if (service[name] !== undefined) reader.warn([...path, name], 'is not applied');
  }
  const rules = reader.list(service.http, [...path, 'http']);
  if (rules.length === 0) reader.refuse([...path, 'http'], 'expected at least one rule');
  return rules.map((rule, at) => ({
    name: at === 0 ? own.name : `${own.name}-${at + 1}`,
    body: {
      ...(hosts.length > 0 ? { hosts } : {}),
      ...(rules.length > 1 ? { priority: FIRST_PRIORITY - at } : {}),
      ...compileRule(reader, rule, [...path, 'http', at], own.namespace),
    },
  }));
}

function compileRule(
  reader: DocumentReader,
  value: unknown,
  path: Path,
  namespace: string,
): Members {
  const rule = reader.members(
    value,
    path,
    [
      'name',
      'match',
      'route',
      'redirect',
      'directResponse',
      'rewrite',
      'timeout',
      'retries',
      'fault',
      'mirror',
      'mirrors',
      'mirrorPercentage',
      'corsPolicy',
      'headers',
    ],
    { delegate: 'has no counterpart: write the rules of the other document here' },
  );
  const matches = reader
    .list(rule.match, [...path, 'match'])
    .map((match, at) => compileMatch(reader, match, [...path, 'match', at]));
  const to = reader
    .list(rule.route, [...path, 'route'])
    .map((item, at, all) =>
      compileDestination(reader, item, [...path, 'route', at], namespace, all.length),
    );
  return {
    ...(matches.length > 0 ? { match: matches } : {}),
    ...(to.length > 0 ? { to } : {}),
    ...redirect(reader, rule.redirect, [...path, 'redirect']),
    ...directResponse(reader, rule.directResponse, [...path, 'directResponse']),
    ...rewrite(reader, rule.rewrite, [...path, 'rewrite']),
    ...(rule.timeout === undefined || rule.timeout === '0s' ? {} : { timeout: rule.timeout }),
    ...retries(reader, rule.retries, [...path, 'retries']),
    ...fault(reader, rule.fault, [...path, 'fault']),
    ...mirrors(reader, rule, path, namespace),
    ...cors(reader, rule.corsPolicy, [...path, 'corsPolicy']),
    ...headers(reader, rule.headers, [...path, 'headers']),
  };
}

function compileDestination(
  reader: DocumentReader,
  value: unknown,
  path: Path,
  namespace: string,
  count: number,
): Members {
  const item = reader.members(value, path, ['destination', 'weight', 'headers']);
  return {
    ...destination(reader, item.destination, [...path, 'destination'], namespace),
    // One destination takes all; of several, one without a weight takes nothing.
    weight: item.weight ?? (count === 1 ? 1 : 0),
    ...headers(reader, item.headers, [...path, 'headers']),
  };
}

function destination(
  reader: DocumentReader,
  value: unknown,
  path: Path,
  namespace: string,
): Members {
  const target = reader.members(value, path, ['host', 'subset', 'port']);
  if (target.port !== undefined) {
    reader.warn(
      [...path, 'port'],
      'is not applied: instances are reached at the port they registered',
    );
  }
  return {
    ...hostService(reader, target.host, [...path, 'host'], namespace),
    ...(target.subset === undefined ? {} : { subset: target.subset }),
  };
}

function headers(reader: DocumentReader, value: unknown, path: Path): Members {
  if (value === undefined) return {};
  const both = reader.members(value, path, ['request', 'response']);
  const edits = (side: 'request' | 'response'): Members =>
    reader.members(both[side], [...path, side], ['set', 'add', 'remove']);
  return {
    ...(both.request === undefined ? {} : { requestHeaders: edits('request') }),
    ...(both.response === undefined ? {} : { responseHeaders: edits('response') }),
  };
}

function redirect(reader: DocumentReader, value: unknown, path: Path): Members {
  if (value === undefined) return {};
  const said = reader.members(value, path, ['uri', 'authority', 'port', 'scheme', 'redirectCode'], {
    derivePort: 'has no counterpart: write port',
  });
  return {
    redirect: {
      status: said.redirectCode ?? 301,
      ...(said.uri === undefined ? {} : { path: said.uri }),
      ...(said.authority === undefined ? {} : { host: said.authority }),
      ...(said.port === undefined ? {} : { port: said.port }),
      ...(said.scheme === undefined ? {} : { scheme: said.scheme }),
    },
  };
}

function directResponse(reader: DocumentReader, value: unknown, path: Path): Members {
  if (value === undefined) return {};
  const said = reader.members(value, path, ['status', 'body']);
  const body = reader.members(said.body, [...path, 'body'], ['string'], {
    bytes: 'has no counterpart: write string',
  });
  return {
    answer: { status: said.status, ...(body.string === undefined ? {} : { body: body.string }) },
  };
}

function rewrite(reader: DocumentReader, value: unknown, path: Path): Members {
  if (value === undefined) return {};
  const said = reader.members(value, path, ['uri', 'authority', 'uriRegexRewrite']);
  const regex = reader.members(
    said.uriRegexRewrite,
    [...path, 'uriRegexRewrite'],
    ['match', 'rewrite'],
  );
  return {
    rewrite: {
      ...(said.uri === undefined ? {} : { prefix: said.uri }),
      ...(said.authority === undefined ? {} : { host: said.authority }),
      ...(regex.match === undefined
        ? {}
        : { pattern: regex.match, substitution: regex.rewrite ?? '' }),
    },
  };
}

function retries(reader: DocumentReader, value: unknown, path: Path): Members {
  if (value === undefined) return {};
  const said = reader.members(value, path, ['attempts', 'perTryTimeout', 'retryOn', 'backoff']);
  const on: string[] = [];
  const statuses: number[] = [];
  for (const word of reader.text(said.retryOn, [...path, 'retryOn']).split(',')) {
    const text = word.trim();
    const known = RETRY_WORDS[text];
    if (typeof known === 'string') on.push(known);
    else if (/^[2-5]\d\d$/.test(text)) statuses.push(Number(text));
    else if (text !== '' && text !== 'retriable-status-codes') {
      reader.refuse(
        [...path, 'retryOn'],
        `"${text}" has no counterpart; known are ${Object.keys(RETRY_WORDS).join(', ')} and statuses`,
      );
    }
  }
  return {
    retries: {
      attempts: said.attempts ?? 2,
      ...(said.perTryTimeout === undefined ? {} : { perTryTimeout: said.perTryTimeout }),
      ...(on.length > 0 ? { on } : {}),
      ...(statuses.length > 0 ? { statuses } : {}),
      ...(said.backoff === undefined ? {} : { backoff: { base: said.backoff } }),
    },
  };
}

function fault(reader: DocumentReader, value: unknown, path: Path): Members {
  if (value === undefined) return {};
  const said = reader.members(value, path, ['delay', 'abort']);
  const delay = reader.members(
    said.delay,
    [...path, 'delay'],
    ['fixedDelay', 'percentage', 'percent'],
  );
  const abort = reader.members(
    said.abort,
    [...path, 'abort'],
    ['httpStatus', 'percentage', 'percent'],
    { grpcStatus: 'has no counterpart: write httpStatus' },
  );
  const delayShare = share(
    reader,
    delay.percentage,
    [...path, 'delay', 'percentage'],
    delay.percent,
  );
  const abortShare = share(
    reader,
    abort.percentage,
    [...path, 'abort', 'percentage'],
    abort.percent,
  );
  return {
    fault: {
      ...(said.delay === undefined
        ? {}
        : { delay: { duration: delay.fixedDelay, share: delayShare } }),
      ...(said.abort === undefined
        ? {}
        : { abort: { status: abort.httpStatus, share: abortShare } }),
    },
  };
}

function mirrors(reader: DocumentReader, rule: Members, path: Path, namespace: string): Members {
  const all: Members[] = [];
  if (rule.mirror !== undefined) {
    all.push({
      ...destination(reader, rule.mirror, [...path, 'mirror'], namespace),
      share: share(reader, rule.mirrorPercentage, [...path, 'mirrorPercentage'], undefined),
    });
  }
  for (const [at, item] of reader.list(rule.mirrors, [...path, 'mirrors']).entries()) {
    const here = [...path, 'mirrors', at];
    const said = reader.members(item, here, ['destination', 'percentage']);
    all.push({
      ...destination(reader, said.destination, [...here, 'destination'], namespace),
      share: share(reader, said.percentage, [...here, 'percentage'], undefined),
    });
  }
  return all.length > 0 ? { mirrors: all } : {};
}

/** A percentage as a share from 0 to 1; all where it is not said. */
function share(reader: DocumentReader, value: unknown, path: Path, legacy: unknown): unknown {
  const said = reader.members(value, path, ['value']);
  const percent = said.value ?? legacy ?? 100;
  if (typeof percent === 'number') return percent / 100;
  reader.refuse(path, 'expected { value: PERCENT }');
  return 0;
}

function cors(reader: DocumentReader, value: unknown, path: Path): Members {
  if (value === undefined) return {};
  const said = reader.members(
    value,
    path,
    ['allowOrigins', 'allowMethods', 'allowHeaders', 'exposeHeaders', 'maxAge', 'allowCredentials'],
    { allowOrigin: 'is no longer Istio’s: write allowOrigins' },
  );
  return {
    cors: {
      origins: said.allowOrigins ?? ['*'],
      ...(said.allowMethods === undefined ? {} : { methods: said.allowMethods }),
      ...(said.allowHeaders === undefined ? {} : { headers: said.allowHeaders }),
      ...(said.exposeHeaders === undefined ? {} : { exposeHeaders: said.exposeHeaders }),
      ...(said.maxAge === undefined ? {} : { maxAge: said.maxAge }),
      ...(said.allowCredentials === undefined ? {} : { credentials: said.allowCredentials }),
    },
  };
}
