import { NO_BODY, type ResponseHead, type UpstreamExchange } from '@portolan/http';
import type { AskService, ServiceAnswer } from '../filters/forward-auth-filter.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { chooseEndpoint } from './choose-endpoint.ts';
import type { ProxyContext } from './proxy-context.ts';

/** More of an answer's body is not read: the connection is cut, and what came is the answer. */
const MAX_BODY_BYTES = 65_536;
/** Unsent or lost questions are asked elsewhere: they are GETs. */
const MAX_TRIES = 3;

/** Asks a service as its instances are asked for anybody: balanced, and again elsewhere when one is lost. */
export function createAsker(
  context: ProxyContext,
  target: () => { readonly upstream: Upstream; readonly cluster: Cluster },
): AskService {
  return (question, done) => {
    const { upstream, cluster } = target();
    const tried: Parameters<typeof chooseEndpoint>[1][number][] = [];
    let exchange: UpstreamExchange | undefined;
    let over = false;
    const timer = context.clock.setTimer(question.timeoutMs, () => finish(undefined));
    let leave: () => void = () => undefined;

    function finish(answer: ServiceAnswer | undefined): void {
      if (over) return;
      giveUp();
      done(answer);
    }

    function giveUp(): void {
      over = true;
      timer.cancel();
      exchange?.abort();
      leave();
    }

    function ask(): void {
      const endpoint = chooseEndpoint(cluster, tried, context);
      if (typeof endpoint === 'string' || endpoint.ip === undefined || tried.includes(endpoint)) {
        finish(undefined);
        return;
      }
      tried.push(endpoint);
      endpoint.active++;
      upstream.active++;
      leave = () => {
        leave = () => undefined;
        endpoint.active--;
        upstream.active--;
        if (endpoint.draining && endpoint.active === 0) upstream.endpointIdle(endpoint);
      };
      let head: ResponseHead | undefined;
      const pieces: Buffer[] = [];
      let bytes = 0;
      const complete = (): void => {
        if (head) finish({ head, body: Buffer.concat(pieces).subarray(0, MAX_BODY_BYTES) });
      };
      exchange = context.pool.connect(
        endpoint.ip,
        endpoint.port,
        {
          onReady(ready) {
            exchange = ready;
            ready.sendHead('GET', question.target, question.lines, NO_BODY);
          },
          onInformational: () => undefined,
          onHead(answered) {
            head = answered;
          },
          onData(piece) {
            bytes += piece.length;
            pieces.push(Buffer.from(piece));
            if (bytes > MAX_BODY_BYTES) complete();
          },
          onEnd: complete,
          onError() {
            if (over) return;
            upstream.note(endpoint, 'failure');
            leave();
            if (head || tried.length >= MAX_TRIES) finish(undefined);
            else ask();
          },
          onUpgrade(_head, socket) {
            socket.destroy();
            finish(undefined);
          },
          onDrain: () => undefined,
        },
        endpoint.transport.requests,
      );
    }

    ask();
    return giveUp;
  };
}
