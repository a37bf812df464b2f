import { createHmac } from 'node:crypto';

/**
 * Value of `X-Portolan-Signature`: `t=<unix seconds>,v1=<hex of HMAC-SHA-256(secret, "<t>.<body>")>`. A receiver
 * recomputes it over the raw body and refuses an old `t`.
 */
export function signDelivery(secret: string, unixSeconds: number, body: string): string {
  const mac = createHmac('sha256', secret).update(`${unixSeconds}.${body}`).digest('hex');
  return `t=${unixSeconds},v1=${mac}`;
}
