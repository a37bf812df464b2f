import type { Status } from '../model/status.ts';

/** Higher is worse. `unknown` stands above `warning`: what was never probed is not routable. */
const BADNESS: Readonly<Record<Status, number>> = {
  passing: 0,
  warning: 1,
  unknown: 2,
  critical: 3,
};

/** The worst of several; `passing` for none. */
export function worstStatus(statuses: Iterable<Status>): Status {
  let worst: Status = 'passing';
  for (const status of statuses) if (BADNESS[status] > BADNESS[worst]) worst = status;
  return worst;
}

/** Whether an instance of this status may be sent requests. */
export function isRoutableStatus(status: Status): boolean {
  return status === 'passing' || status === 'warning';
}
