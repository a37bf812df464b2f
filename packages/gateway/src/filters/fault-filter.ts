import type { Clock, FaultInjection, Random } from '@portolan/core';
import { errorBody } from '../proxy/gateway-errors.ts';
import type { Filter, FilteredRequest } from './filter.ts';

/** Delays and breaks off shares of the requests, so that callers can be seen to bear it. */
export function createFaultFilter(
  fault: FaultInjection,
  deps: { readonly clock: Clock; readonly random: Random },
): Filter {
  const { delay, abort } = fault;

  function aborts(request: FilteredRequest): boolean {
    if (!abort || deps.random() >= abort.share) return false;
    const { status } = abort;
    const body = errorBody('FAULT_INJECTED', status, 'The route injects faults', request.requestId);
    request.answer(status, ['Content-Type', 'application/json'], body);
    return true;
  }

  return {
    name: 'fault',
    onRequest(request) {
      if (!delay || deps.random() >= delay.share) return aborts(request) ? 'answered' : 'continue';
      const timer = deps.clock.setTimer(delay.durationMs, () => {
        if (!aborts(request)) request.proceed();
      });
      request.onOver(() => timer.cancel());
      return 'wait';
    },
  };
}
