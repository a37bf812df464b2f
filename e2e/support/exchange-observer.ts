import type { ObservedEvent, ObservedExchange } from '../openapi-answers.ts';
import { MessageReader } from './message-reader.ts';

export interface ExchangeListener {
  /** A whole answer, or the head of a stream of events, with an empty body. */
  onAnswer(exchange: ObservedExchange): void;
  onEvent(exchange: ObservedExchange, event: ObservedEvent): void;
}

/** The two directions of one connection to the control port. */
export interface ExchangeObserver {
  fromClient(bytes: Buffer): void;
  fromServer(bytes: Buffer): void;
  serverEnded(): void;
}

interface Sent {
  readonly method: string;
  readonly target: string;
  body: string;
}

/** Puts the bytes of a connection together to exchanges and events. */
export function createExchangeObserver(listener: ExchangeListener): ExchangeObserver {
  const asked: Sent[] = [];
  /** After a 101 the bytes are another protocol's. */
  let switched = false;
  let receiving: Sent | undefined;
  const requests = new MessageReader({
    onHead({ startLine }) {
      const [method = '', target = ''] = startLine.split(' ');
      receiving = { method, target, body: '' };
      asked.push(receiving);
      return 'framed';
    },
    onBody(bytes) {
      if (receiving) receiving.body += bytes.toString();
    },
    onEnd() {},
  });

  let answering: ObservedExchange | undefined;
  let parts: Buffer[] = [];
  let events: ReturnType<typeof createEventSplitter> | undefined;
  const answers = new MessageReader({
    onHead({ startLine, headers }) {
      const status = Number(startLine.split(' ')[1]);
      if (status === 101) {
        const { method, target } = asked.shift() ?? { method: '', target: '' };
        switched = true;
        listener.onAnswer({ method, target, status, headers, body: '' });
        return 'none';
      }
      // RFC 9110 §15.2: interim answers come before the one that counts.
      if (status < 200) return 'none';
      // A server may refuse before it could read who asks.
      const sent = asked.shift() ?? { method: '', target: '', body: '' };
      const exchange: ObservedExchange = {
        method: sent.method,
        target: sent.target,
        ...(sent.body === '' ? {} : { requestBody: sent.body }),
        status,
        headers,
        body: '',
      };
      answering = exchange;
      parts = [];
      events = undefined;
      if (/^text\/event-stream\b/.test(headers.get('content-type') ?? '')) {
        listener.onAnswer(exchange);
        events = createEventSplitter((event) => listener.onEvent(exchange, event));
      }
      // RFC 9112 §6.3: neither has a body, whatever the head says.
      return sent.method === 'HEAD' || status === 204 || status === 304 ? 'none' : 'close';
    },
    onBody(bytes) {
      if (events) events(bytes);
      else parts.push(bytes);
    },
    onEnd() {
      if (answering && !events) {
        listener.onAnswer({ ...answering, body: Buffer.concat(parts).toString() });
      }
      answering = undefined;
      events = undefined;
      parts = [];
    },
  });
  return {
    fromClient(bytes) {
      if (!switched) requests.push(bytes);
    },
    fromServer(bytes) {
      if (!switched) answers.push(bytes);
    },
    serverEnded() {
      if (!switched) answers.end();
    },
  };
}

/** Server-sent events as this API writes them: one line of data each. */
function createEventSplitter(onEvent: (event: ObservedEvent) => void): (bytes: Buffer) => void {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  return (bytes) => {
    text += decoder.decode(bytes, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string): string | undefined =>
        new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1];
      const data = field('data');
      if (data === undefined) continue;
      const id = field('id');
      onEvent({ name: field('event') ?? 'message', data, ...(id === undefined ? {} : { id }) });
    }
  };
}
