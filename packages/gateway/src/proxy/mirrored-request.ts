import type { Socket } from 'node:net';
import type { MessageFields, ProxySource, ResponseHead, UpstreamError } from '@portolan/http';
import type { CompiledMirror } from '../routing/compiled-route.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { UpstreamEndpoint } from '../upstream/upstream-endpoint.ts';
import { Attempt, type AttemptOwner, type OutgoingHead } from './attempt.ts';
import { chooseEndpoint } from './choose-endpoint.ts';
import type { Deadline, DeadlineOwner } from './deadlines.ts';
import type { ProxyContext } from './proxy-context.ts';

/** Body bytes kept until the copy's connection is there; a copy that falls behind is given up. */
const MAX_HELD_BYTES = 65_536;

/** A copy of a request whose answer is thrown away. Whatever becomes of it, the original does not notice. */
export class MirroredRequest implements AttemptOwner, DeadlineOwner {
  readonly #context: ProxyContext;
  readonly #upstream: Upstream;
  readonly #endpoint: UpstreamEndpoint;
  readonly #attempt: Attempt;
  readonly #held: Buffer[] = [];
  #heldBytes = 0;
  #blocked = false;
  /** Trailer lines, once the body is complete. */
  #bodyEnd: string | undefined;
  #bodySent = false;
  #deadline: Deadline | undefined;

  /** Starts the copies that chance, as the shares say, asks for; upgrades are not copied. */
  static startAll(
    context: ProxyContext,
    mirrors: readonly CompiledMirror[],
    head: OutgoingHead,
    source: ProxySource,
  ): readonly MirroredRequest[] {
    if (head.upgrade !== undefined) return [];
    const copies: MirroredRequest[] = [];
    for (const mirror of mirrors) {
      if (context.random() >= mirror.share) continue;
      const copy = MirroredRequest.start(context, mirror, head, source);
      if (copy) copies.push(copy);
    }
    return copies;
  }

  /** Starts the copy; undefined where no endpoint takes it now. */
  static start(
    context: ProxyContext,
    mirror: CompiledMirror,
    head: OutgoingHead,
    source: ProxySource,
  ): MirroredRequest | undefined {
    const endpoint = chooseEndpoint(mirror.destination.cluster, [], context);
    if (typeof endpoint === 'string' || endpoint.ip === undefined) return undefined;
    return new MirroredRequest(context, mirror, endpoint, head, {
      ip: endpoint.ip,
      source,
    });
  }

  private constructor(
    context: ProxyContext,
    mirror: CompiledMirror,
    endpoint: UpstreamEndpoint,
    head: OutgoingHead,
    { ip, source }: { readonly ip: string; readonly source: ProxySource },
  ) {
    this.#context = context;
    this.#upstream = mirror.destination.upstream;
    this.#endpoint = endpoint;
    this.#attempt = new Attempt(this, mirror.destination, endpoint, head);
    endpoint.active++;
    this.#upstream.active++;
    this.#deadline = context.deadlines.take(this);
    context.deadlines.arm(this.#deadline, context.limits.responseTimeoutMs);
    const { requests } = endpoint.transport;
    this.#attempt.started(context.pool.connect(ip, endpoint.port, this.#attempt, requests, source));
  }

  write(piece: Buffer): void {
    if (!this.#deadline) return;
    if (this.#attempt.ready && !this.#blocked) {
      this.#blocked = !this.#attempt.write(piece);
      return;
    }
    this.#heldBytes += piece.length;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#giveUp();
    else this.#held.push(Buffer.from(piece));
  }

  endBody(trailerLines: string): void {
    this.#bodyEnd = trailerLines;
    if (this.#attempt.ready && this.#held.length === 0) this.#sendHeld();
  }

  /** The original was cut short: so is its copy. */
  abort(): void {
    if (this.#bodyEnd === undefined) this.#giveUp();
  }

  onAttemptReady(): void {
    this.#sendHeld();
  }

  onUpstreamDrain(): void {
    this.#blocked = false;
    this.#sendHeld();
  }

  onInformational(): void {}
  onResponseHead(): void {}
  onResponseData(): void {}

  onResponseEnd(_attempt: Attempt, _trailers: MessageFields | undefined): void {
    this.#end();
  }

  onAttemptError(_attempt: Attempt, _error: UpstreamError): void {
    this.#end();
  }

  onSwitch(_attempt: Attempt, _head: ResponseHead, socket: Socket): void {
    socket.destroy();
    this.#end();
  }

  onDeadline(): void {
    this.#giveUp();
  }

  #sendHeld(): void {
    for (const piece of this.#held.splice(0)) {
      this.#heldBytes -= piece.length;
      if (!this.#attempt.write(piece)) this.#blocked = true;
    }
    if (this.#bodyEnd === undefined || this.#bodySent) return;
    this.#bodySent = true;
    this.#attempt.endBody(this.#bodyEnd);
  }

  #giveUp(): void {
    if (!this.#deadline) return;
    this.#attempt.cancel();
    this.#end();
  }

  #end(): void {
    if (!this.#deadline) return;
    this.#context.deadlines.give(this.#deadline);
    this.#deadline = undefined;
    this.#held.length = 0;
    const endpoint = this.#endpoint;
    const upstream = this.#upstream;
    endpoint.active--;
    upstream.active--;
    if (endpoint.draining && endpoint.active === 0) upstream.endpointIdle(endpoint);
  }
}
