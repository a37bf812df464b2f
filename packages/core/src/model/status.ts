/**
 * What the registry knows of an instance's health.
 * `passing` and `warning` are routable; `unknown` (not yet probed) and `critical` are not.
 */
export type Status = 'passing' | 'warning' | 'critical' | 'unknown';
