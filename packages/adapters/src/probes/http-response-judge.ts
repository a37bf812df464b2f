import type { HttpProbeConfig } from '@portolan/core';
import { BodyWindow } from './body-window.ts';
import { ChunkedDecoder } from './chunked-decoder.ts';
import { type HttpResponseHead, parseHttpResponseHead } from './http-response-head.ts';
import { critical, type ProbeVerdict, passing, warning } from './probe-verdict.ts';

const HEAD_LIMIT_BYTES = 16_384;
const INTERIM_LIMIT = 8;
// Above the body window for what chunk framing adds to an honest body; one byte a chunk does not get far.
const READ_LIMIT_BYTES = 262_144;

/** Reads one response as its bytes come, and says as soon as it can what it means. Keeps nothing to show. */
export class HttpResponseJudge {
  readonly #config: HttpProbeConfig;
  #headBytes: Buffer = Buffer.alloc(0);
  #interims = 0;
  #head: HttpResponseHead | undefined;
  #window: BodyWindow | undefined;
  #chunked: ChunkedDecoder | undefined;
  #leftBytes = Number.POSITIVE_INFINITY;
  #readBytes = 0;

  constructor(config: HttpProbeConfig) {
    this.#config = config;
  }

  /** What it waits for, for a message about running out of time. */
  get waitingFor(): string {
    return this.#head ? "the response's body" : 'the response';
  }

  /** The verdict, or undefined while more has to be read. */
  push(bytes: Buffer): ProbeVerdict | undefined {
    let rest = bytes;
    while (!this.#head) {
      const body = this.#readHead(rest);
      if (body === 'more') return undefined;
      if (!Buffer.isBuffer(body)) return body;
      const verdict = this.#judgeHead();
      if (verdict) return verdict;
      rest = body;
    }
    return this.#readBody(rest);
  }

  /** The verdict when the instance closed the connection. */
  end(): ProbeVerdict {
    if (!this.#head) {
      return critical(
        this.#headBytes.length === 0
          ? 'connection closed without a response'
          : 'connection closed in the middle of the response head',
      );
    }
    if (this.#head.framing === 'close') return this.#judgeBody();
    return critical(`HTTP ${this.#head.status}, connection closed in the middle of the body`);
  }

  /** Bytes behind the head, or `more`, or a verdict. Leaves `#head` unset after an interim response. */
  #readHead(bytes: Buffer): Buffer | 'more' | ProbeVerdict {
    const from = Math.max(0, this.#headBytes.length - 3);
    this.#headBytes =
      this.#headBytes.length === 0 ? bytes : Buffer.concat([this.#headBytes, bytes]);
    const end = this.#headBytes.indexOf('\r\n\r\n', from);
    if (end > HEAD_LIMIT_BYTES || (end < 0 && this.#headBytes.length > HEAD_LIMIT_BYTES)) {
      return critical(`response head larger than ${HEAD_LIMIT_BYTES / 1024} KiB`);
    }
    if (end < 0) return 'more';
    const text = this.#headBytes.toString('latin1', 0, end);
    const rest = this.#headBytes.subarray(end + 4);
    const head = parseHttpResponseHead(text, this.#config.method);
    if (!head) return critical('the answer is not a well-formed HTTP/1.1 response');
    if (head.status < 200 && head.status !== 101) {
      if (++this.#interims > INTERIM_LIMIT) return critical('too many interim responses');
      this.#headBytes = Buffer.alloc(0);
      return rest.length === 0 ? 'more' : this.#readHead(rest);
    }
    this.#headBytes = Buffer.alloc(0);
    this.#head = head;
    return rest;
  }

  /** The verdict where the head is enough for one. */
  #judgeHead(): ProbeVerdict | undefined {
    const head = this.#head;
    if (!head) return undefined;
    const { status } = head;
    const { expectStatus, bodyContains } = this.#config;
    const shown = `HTTP ${status}${head.lengthBytes === undefined ? '' : `, ${head.lengthBytes} bytes`}`;
    if (!expectStatus.some(({ from, to }) => from <= status && status <= to)) {
      // As Consul: it works and has too much to do.
      if (status === 429) return warning(`${shown}: too many requests`);
      const redirect = status >= 300 && status < 400 && status !== 304;
      return critical(
        `${shown}, expected ${formatRanges(expectStatus)}${redirect ? '; redirects are not followed' : ''}`,
      );
    }
    if (bodyContains === undefined) return passing(shown);
    this.#window = new BodyWindow(bodyContains);
    const window = this.#window;
    if (head.framing === 'none') this.#leftBytes = 0;
    if (head.lengthBytes !== undefined) this.#leftBytes = head.lengthBytes;
    if (head.framing === 'chunked')
      this.#chunked = new ChunkedDecoder((data) => window.append(data));
    return undefined;
  }

  #readBody(bytes: Buffer): ProbeVerdict | undefined {
    this.#readBytes += bytes.length;
    if (this.#chunked) {
      const state = this.#chunked.push(bytes);
      if (state === 'fault') return critical(`HTTP ${this.#head?.status}, faulty chunked body`);
      if (state === 'end') return this.#judgeBody();
    } else {
      // Surplus bytes are not part of this response.
      const own = bytes.length > this.#leftBytes ? bytes.subarray(0, this.#leftBytes) : bytes;
      this.#leftBytes -= own.length;
      this.#window?.append(own);
      if (this.#leftBytes === 0) return this.#judgeBody();
    }
    const enough = this.#window?.found || this.#window?.full;
    return enough || this.#readBytes > READ_LIMIT_BYTES ? this.#judgeBody() : undefined;
  }

  #judgeBody(): ProbeVerdict {
    const shown = `HTTP ${this.#head?.status}`;
    if (this.#window?.found) return passing(`${shown}, body matches`);
    return critical(
      this.#window?.full
        ? `${shown}, no match in the first 64 KiB of the body`
        : `${shown}, body does not match`,
    );
  }
}

/** `200-299, 404`. */
function formatRanges(ranges: HttpProbeConfig['expectStatus']): string {
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
