import {
  DATA_CENTER_CLASSES,
  DEFAULT_DATA_CENTER_CLASS,
  EMPTY_METADATA_CLASS,
  type EurekaInstance,
  type EurekaPort,
} from './instance-info.ts';

/** One instance, as `EurekaJacksonCodec` writes it: some numbers as text, `@` and `$` for what XML has as attributes. */
export function instanceJson(instance: EurekaInstance): string {
  return JSON.stringify(toJson(instance));
}

/** Without what `MiniInstanceInfoMixIn` leaves out, for `X-Eureka-Accept: compact`. */
export function compactInstanceJson(instance: EurekaInstance): string {
  const {
    overriddenStatus: _overridden,
    countryId: _country,
    leaseInfo: _lease,
    metadata: _metadata,
    homePageUrl: _home,
    statusPageUrl: _page,
    healthCheckUrl: _health,
    secureHealthCheckUrl: _secureHealth,
    appGroupName: _group,
    sid: _sid,
    isCoordinatingDiscoveryServer: _coordinating,
    lastDirtyTimestamp: _dirty,
    ...rest
  } = toJson(instance);
  return JSON.stringify(rest);
}

export function applicationsHeadJson(head: { readonly version: string; readonly hash: string }) {
  const version = JSON.stringify(head.version);
  const hash = JSON.stringify(head.hash);
  return `{"applications":{"versions__delta":${version},"apps__hashcode":${hash},"application":[`;
}

export function applicationHeadJson(name: string): string {
  return `{"name":${JSON.stringify(name)},"instance":[`;
}

function toJson(instance: EurekaInstance) {
  const { dataCenterInfo, metadata, port, securePort, actionType, ...rest } = instance;
  return {
    ...rest,
    port: portJson(port),
    securePort: portJson(securePort),
    dataCenterInfo: {
      '@class': DATA_CENTER_CLASSES[dataCenterInfo.name] ?? DEFAULT_DATA_CENTER_CLASS,
      ...dataCenterInfo,
    },
    metadata: Object.keys(metadata).length === 0 ? { '@class': EMPTY_METADATA_CLASS } : metadata,
    isCoordinatingDiscoveryServer: 'false',
    lastUpdatedTimestamp: String(instance.lastUpdatedTimestamp),
    lastDirtyTimestamp: String(instance.lastDirtyTimestamp),
    ...(actionType === undefined ? undefined : { actionType }),
  };
}

function portJson({ number, enabled }: EurekaPort) {
  return { $: number, '@enabled': String(enabled) };
}
