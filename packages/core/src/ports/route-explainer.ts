import type { Labels } from '../model/instance.ts';
import type { BalancerName, CallerKey } from '../model/route.ts';
import type { ServiceKey } from '../model/service.ts';

/** A request that might come. */
export interface RequestToExplain {
  readonly method: string;
  /** Absolute, http or https; or a path where `headers` has a Host. */
  readonly url: string;
  /** Names and values in turn. A Host goes before the URL's. */
  readonly headers: readonly string[];
  /** Address its connection would come from. */
  readonly source: string;
}

/** A match of a route that did not hold. */
export interface RoutePassedOver {
  readonly route: string;
  /** Its path condition: `prefix /api`. */
  readonly path: string;
  /** `host`, `path`, `method`, `header x-user`, …: the first condition that failed. */
  readonly failed: string;
}

/**
 * `ready`; `full`: at its limit of requests; `ejected` after failures; `standby`: the balancer is not given it now; `draining`: ends
 * what it has; `unresolved`: its name has no address; `forbidden`: its address may not be dialled; `not-routable`: the registry
 * says so.
 */
export type ExplainedState =
  | 'ready'
  | 'full'
  | 'ejected'
  | 'standby'
  | 'draining'
  | 'unresolved'
  | 'forbidden'
  | 'not-routable';

export interface ExplainedEndpoint {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly state: ExplainedState;
  /** What the registry says of one that is not routable. */
  readonly reason?: string;
  /** Requests under way there. */
  readonly active: number;
  /** From 0 to 1, of the destination's requests; absent where the balancer goes by more than weights. */
  readonly share?: number;
}

export interface ExplainedDestination {
  readonly service: ServiceKey;
  readonly labels: Labels;
  readonly subsetName?: string;
  readonly weight: number;
  /** From 0 to 1, of requests like this one; 1 where there is nothing to draw. */
  readonly share: number;
  readonly balancer: BalancerName;
  /** Every endpoint is ejected, so all are tried all the same. */
  readonly panicking: boolean;
  readonly endpoints: readonly ExplainedEndpoint[];
}

/** What would become of a request, and why. */
export interface RouteExplanation {
  readonly outcome: 'forward' | 'redirect' | 'answer' | 'refused';
  /** With `refused`. */
  readonly refusal?: { readonly code: string; readonly status: number; readonly message: string };
  /** As routes see it: canonical, and behind trusted proxies the client's. Absent when it is no request at all. */
  readonly request?: {
    readonly method: string;
    readonly host: string;
    readonly path: string;
    readonly query: string;
    readonly scheme: 'http' | 'https';
    readonly clientIp: string;
  };
  /** At most 50: first those whose path held, in the order in which they were tried. */
  readonly passedOver: readonly RoutePassedOver[];
  /** How many more there were. */
  readonly passedOverMore: number;
  /** Absent when there is none; without configuration it is the service's name. */
  readonly route?: {
    readonly name: string;
    readonly configured: boolean;
    readonly path: string;
    /** What its requests pass, outermost first, such as `rate-limit`; none of them is asked for an explanation. */
    readonly filters: readonly string[];
  };
  /** With `redirect`. */
  readonly redirect?: { readonly status: number; readonly location: string };
  /** With `answer`: its status. */
  readonly answerStatus?: number;
  /** What the service gets. */
  readonly forwarded?: { readonly host: string; readonly target: string };
  /** On a sticky route; `caller` is absent where the request does not tell it. */
  readonly sticky?: { readonly key: CallerKey; readonly caller?: string };
  readonly destinations: readonly ExplainedDestination[];
}

/** Says what a gateway would do with a request now; changes nothing, also not whose turn is next. */
export interface RouteExplainer {
  explain(request: RequestToExplain): RouteExplanation | Promise<RouteExplanation>;
}
