import type { ServerExchange } from '@portolan/http';
import { errorBody } from './gateway-errors.ts';

/** Answers for the gateway itself; a response already begun can only be cut. */
export function refuse(
  server: ServerExchange,
  code: string,
  status: number,
  message: string,
  requestId: string,
): void {
  if (server.status !== 0) {
    server.destroy();
    return;
  }
  const retry = status === 503 ? 'Retry-After: 1\r\n' : '';
  server.send(
    status,
    `Content-Type: application/json\r\n${retry}X-Request-Id: ${requestId}\r\n`,
    errorBody(code, status, message, requestId),
  );
}
