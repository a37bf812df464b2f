import { type CheckInput, type ProbeConfig, type Status, worstStatus } from '@portolan/core';
import {
  HEADER_VALUE,
  isPlainHttpUrl,
  isProbeHeader,
  parseGrpcTarget,
  parseHostPort,
} from '../../targets/probe-target.ts';
import { badRequest, type ConsulError } from '../consul-error.ts';
import { anything, duration, flag, listOf, mapOf, struct, text, whole } from './go-decoder.ts';

/** A check as Consul's agent takes it, in a service's registration and by itself. */
export const checkDefinition = struct('structs.CheckType', {
  ID: text,
  CheckID: text,
  Name: text,
  Notes: text,
  ServiceID: text,
  Status: text,
  Token: text,
  Script: text,
  ScriptArgs: listOf(text),
  Args: listOf(text),
  DockerContainerID: text,
  Shell: text,
  OSService: text,
  HTTP: text,
  Header: mapOf(listOf(text)),
  Method: text,
  Body: text,
  DisableRedirects: flag,
  TCP: text,
  TCPUseTLS: flag,
  UDP: text,
  GRPC: text,
  GRPCUseTLS: flag,
  H2PING: text,
  H2PingUseTLS: flag,
  AliasNode: text,
  AliasService: text,
  TTL: duration,
  Interval: duration,
  Timeout: duration,
  DeregisterCriticalServiceAfter: duration,
  SuccessBeforePassing: whole,
  FailuresBeforeWarning: whole,
  FailuresBeforeCritical: whole,
  TLSServerName: text,
  TLSSkipVerify: flag,
  OutputMaxSize: whole,
  ExposedPort: whole,
  ProxyHTTP: text,
  ProxyGRPC: text,
  Namespace: text,
  Partition: text,
  EnterpriseMeta: anything,
});

export type CheckDefinition = NonNullable<ReturnType<typeof checkDefinition.decode>>;

const STATUSES = ['passing', 'warning', 'critical'] as const;
type CheckStatus = (typeof STATUSES)[number];

const DEFAULT_TIMEOUT_MS = 10_000;
/** Consul asks no more often, whatever it is told. */
const MIN_INTERVAL_MS = 1_000;
const METHODS = ['GET', 'HEAD', 'POST', 'OPTIONS'] as const;
const ASKED = ['HTTP', 'TCP', 'GRPC'] as const;
const REFUSED = ['UDP', 'H2PING', 'OSService', 'AliasNode', 'AliasService'] as const;

function invalid(why: string): ConsulError {
  return badRequest(`Invalid check: ${why}`);
}

/** A check's status word; undefined where none is given. */
export function parseCheckStatus(status: string | undefined): CheckStatus | undefined {
  if (status === undefined || status === '') return undefined;
  const known = STATUSES.find((each) => each === status);
  if (known) return known;
  throw badRequest("Status for checks must 'passing', 'warning', 'critical'");
}

/** The check as the registry takes it, under the id it is kept under. */
export function toCheckInput(definition: CheckDefinition, id: string): CheckInput {
  parseCheckStatus(definition.Status);
  const { DeregisterCriticalServiceAfter: deregisterAfterMs = 0 } = definition;
  if (deregisterAfterMs < 0) {
    throw invalid('DeregisterCriticalServiceAfter must not be negative');
  }
  return {
    id,
    ...toSchedule(definition),
    probe: toProbe(definition),
    ...(deregisterAfterMs === 0 ? {} : { deregisterAfterMs: Math.ceil(deregisterAfterMs) }),
  };
}

/** What ttl checks claim before anybody reported: critical, unless they say otherwise. */
export function claimedStatus(definitions: readonly CheckDefinition[]): Status | undefined {
  const claims = definitions
    .filter(({ TTL }) => (TTL ?? 0) > 0)
    .map(({ Status: status }) => parseCheckStatus(status) ?? 'critical');
  return claims.length === 0 ? undefined : worstStatus(claims);
}

function toSchedule(definition: CheckDefinition) {
  const {
    Interval = 0,
    Timeout = 0,
    SuccessBeforePassing = 0,
    FailuresBeforeCritical = 0,
  } = definition;
  if (Interval < 0 || Timeout < 0) throw invalid('Interval and Timeout must not be negative');
  return {
    intervalMs: Math.max(MIN_INTERVAL_MS, Math.round(Interval)),
    timeoutMs: Timeout === 0 ? DEFAULT_TIMEOUT_MS : Math.max(10, Math.round(Timeout)),
    rise: Math.max(1, SuccessBeforePassing),
    fall: Math.max(1, FailuresBeforeCritical),
  };
}

function toProbe(definition: CheckDefinition): ProbeConfig {
  refuseScripts(definition);
  for (const kind of REFUSED) {
    if (!isEmpty(definition[kind])) throw invalid(`${kind} checks are not supported`);
  }
  const asked = ASKED.filter((kind) => !isEmpty(definition[kind]));
  const { TTL: ttlMs = 0, Interval: intervalMs = 0 } = definition;
  if (intervalMs > 0 && ttlMs > 0) throw invalid('Interval and TTL cannot both be specified');
  if (ttlMs < 0) throw invalid('TTL must be > 0 for TTL checks');
  if (asked.length + (ttlMs > 0 ? 1 : 0) !== 1) {
    throw invalid(
      asked.length === 0
        ? 'TTL must be > 0 for TTL checks, or one of HTTP, TCP and GRPC be given'
        : 'exactly one of TTL, HTTP, TCP and GRPC may be given',
    );
  }
  if (ttlMs > 0) return { kind: 'ttl', ttlMs: Math.ceil(ttlMs) };
  if (intervalMs <= 0) throw invalid('Interval must be > 0 for HTTP, TCP or GRPC checks');
  if (!isEmpty(definition.TLSServerName)) {
    throw invalid('TLSServerName is not supported: the certificate is judged by the host asked');
  }
  if (!isEmpty(definition.HTTP)) return toHttpProbe(definition);
  if (!isEmpty(definition.TCP)) {
    if (definition.TCPUseTLS) throw invalid('TCPUseTLS is not supported');
    const target = parseHostPort(definition.TCP ?? '');
    if (!target) throw invalid('TCP must be host:port');
    return { kind: 'tcp', ...target };
  }
  const target = parseGrpcTarget(definition.GRPC ?? '');
  if (!target) throw invalid('GRPC must be host:port or host:port/service');
  return { kind: 'grpc', ...target, tls: definition.GRPCUseTLS ?? false };
}

function toHttpProbe(definition: CheckDefinition): ProbeConfig {
  const url = definition.HTTP ?? '';
  if (!isPlainHttpUrl(url)) {
    throw invalid('HTTP must be an absolute http or https URL without credentials or fragment');
  }
  if (!isEmpty(definition.Body)) throw invalid('Body is not supported');
  const wanted = isEmpty(definition.Method) ? 'GET' : (definition.Method ?? '').toUpperCase();
  const method = METHODS.find((each) => each === wanted);
  if (!method) throw invalid(`Method must be one of ${METHODS.join(', ')}`);
  const headers: Record<string, string> = {};
  for (const [name, values] of definition.Header ?? []) {
    const value = values.join(', ');
    if (!isProbeHeader(name) || !HEADER_VALUE.test(value)) {
      throw invalid(`Header ${JSON.stringify(name.slice(0, 64))} may not be sent`);
    }
    headers[name.toLowerCase()] = value;
  }
  return {
    kind: 'http',
    url,
    method,
    headers,
    expectStatus: [{ from: 200, to: 299 }],
    skipTlsVerify: definition.TLSSkipVerify ?? false,
  };
}

function refuseScripts(definition: CheckDefinition): void {
  const { Script, ScriptArgs = [], Args = [], DockerContainerID } = definition;
  if (isEmpty(Script) && ScriptArgs.length === 0 && Args.length === 0 && isEmpty(DockerContainerID))
    return;
  throw badRequest(
    "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
  );
}

function isEmpty(value: string | undefined): boolean {
  return value === undefined || value === '';
}
