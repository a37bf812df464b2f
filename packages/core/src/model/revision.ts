/** Monotonic change number, overall and per service. Zero means "before every change". */
export type Revision = number;
