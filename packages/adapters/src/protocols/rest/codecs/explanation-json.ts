import type { CallerKey, ExplainedDestination, RouteExplanation } from '@portolan/core';

/** An explanation as the API answers it: what is absent is null. */
export function toExplanationJson(told: RouteExplanation) {
  return {
    outcome: told.outcome,
    refusal: told.refusal ?? null,
    request: told.request ?? null,
    passedOver: told.passedOver,
    passedOverMore: told.passedOverMore,
    route: told.route ?? null,
    redirect: told.redirect ?? null,
    answer: told.answerStatus === undefined ? null : { status: told.answerStatus },
    forwarded: told.forwarded ?? null,
    sticky:
      told.sticky === undefined
        ? null
        : { ...toKeyJson(told.sticky.key), caller: told.sticky.caller ?? null },
    destinations: told.destinations.map(toDestinationJson),
  };
}

function toKeyJson(key: CallerKey) {
  return { by: key.kind, name: key.kind === 'source' ? null : key.name };
}

function toDestinationJson({ service, subsetName, endpoints, ...rest }: ExplainedDestination) {
  return {
    service: service.name,
    namespace: service.namespace,
    group: service.group,
    subset: subsetName ?? null,
    ...rest,
    endpoints: endpoints.map(({ reason, share, ...endpoint }) => ({
      ...endpoint,
      reason: reason ?? null,
      share: share ?? null,
    })),
  };
}
