/** Eureka's words for the state of an instance. */
export const EUREKA_STATUSES = ['UP', 'DOWN', 'STARTING', 'OUT_OF_SERVICE', 'UNKNOWN'] as const;
export type EurekaStatus = (typeof EUREKA_STATUSES)[number];

export interface EurekaPort {
  readonly number: number;
  readonly enabled: boolean;
}

/** What a client says of itself, as read from JSON or XML; nothing here is checked against the registry's rules yet. */
export interface EurekaRegistration {
  readonly instanceId?: string;
  readonly hostName?: string;
  readonly app?: string;
  readonly ipAddr?: string;
  readonly status: EurekaStatus;
  readonly port?: EurekaPort;
  readonly securePort?: EurekaPort;
  readonly countryId?: number;
  readonly dataCenterInfo?: DataCenterInfo;
  readonly renewalIntervalInSecs?: number;
  readonly durationInSecs?: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly homePageUrl?: string;
  readonly statusPageUrl?: string;
  readonly healthCheckUrl?: string;
  readonly secureHealthCheckUrl?: string;
  readonly vipAddress?: string;
  readonly secureVipAddress?: string;
  readonly appGroupName?: string;
  readonly asgName?: string;
  readonly sid?: string;
  /** Epoch milliseconds at which the client last changed what it says. */
  readonly lastDirtyTimestamp?: number;
}

export interface DataCenterInfo {
  readonly name?: string;
  /** Of Amazon. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** `InstanceInfo` as it is written, in JSON and in XML. */
export interface EurekaInstance {
  readonly instanceId: string;
  readonly hostName: string;
  readonly app: string;
  readonly ipAddr: string;
  readonly status: EurekaStatus;
  readonly overriddenStatus: EurekaStatus;
  readonly port: EurekaPort;
  readonly securePort: EurekaPort;
  readonly countryId: number;
  readonly dataCenterInfo: { readonly name: string; readonly metadata?: Record<string, string> };
  readonly leaseInfo: {
    readonly renewalIntervalInSecs: number;
    readonly durationInSecs: number;
    readonly registrationTimestamp: number;
    readonly lastRenewalTimestamp: number;
    readonly evictionTimestamp: number;
    readonly serviceUpTimestamp: number;
  };
  readonly metadata: Readonly<Record<string, string>>;
  readonly homePageUrl?: string;
  readonly statusPageUrl?: string;
  readonly healthCheckUrl?: string;
  readonly secureHealthCheckUrl?: string;
  readonly vipAddress: string;
  readonly secureVipAddress: string;
  readonly appGroupName?: string;
  readonly asgName?: string;
  readonly sid?: string;
  readonly lastUpdatedTimestamp: number;
  readonly lastDirtyTimestamp: number;
  readonly actionType?: ActionType;
}

export type ActionType = 'ADDED' | 'MODIFIED' | 'DELETED';

export const DATA_CENTER_CLASSES: Readonly<Record<string, string>> = {
  Amazon: 'com.netflix.appinfo.AmazonInfo',
};
export const DEFAULT_DATA_CENTER_CLASS = 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo';
export const EMPTY_METADATA_CLASS = 'java.util.Collections$EmptyMap';
