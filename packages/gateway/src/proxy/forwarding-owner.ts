import type { Socket } from 'node:net';
import type { CallerKey } from '@portolan/core';
import type { MessageFields, ProxySource, ResponseHead } from '@portolan/http';
import type { CompiledDestination } from '../routing/compiled-route.ts';
import type { RouteQuery } from '../routing/route-match.ts';
import type { GatewayErrorCode } from './gateway-errors.ts';

/** What a forwarding tells whoever asked for it. After `onFailed`, `onBroken`, `onAnswerEnd` and `onSwitch` nothing more is told. */
export interface ForwardingOwner extends RouteQuery {
  /** The hash of who calls, for balancers that go by it; a new caller's where the request does not say. */
  callerHash(key: CallerKey): number;
  /** Whose request it is, for upstreams that are told by the PROXY protocol. */
  readonly proxySource: ProxySource;
  /** The body is wanted: what was kept of it has been sent. */
  onUpstreamReady(): void;
  onUpstreamDrain(): void;
  onInformational(head: ResponseHead): void;
  /** The answer, after all retries. */
  onAnswer(head: ResponseHead, destination: CompiledDestination): void;
  onAnswerData(piece: Buffer): void;
  onAnswerEnd(trailers: MessageFields | undefined): void;
  onSwitch(head: ResponseHead, socket: Socket, surplus: Buffer): void;
  /** There is no answer. */
  onFailed(code: GatewayErrorCode): void;
  /** The answer that began cannot be completed. */
  onBroken(code: GatewayErrorCode): void;
}
