import { HttpProtocolError } from '../protocol/protocol-error.ts';

/** Gathers a request's body up to a limit. */
export class BufferedBody {
  readonly #exchange: { pause(): void };
  readonly #limitBytes: number;
  readonly #resolve: (body: Buffer) => void;
  readonly #reject: (reason: Error) => void;
  readonly #pieces: Buffer[] = [];
  #length = 0;

  constructor(
    exchange: { pause(): void },
    limitBytes: number,
    resolve: (body: Buffer) => void,
    reject: (reason: Error) => void,
  ) {
    this.#exchange = exchange;
    this.#limitBytes = limitBytes;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onBodyData(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#length <= this.#limitBytes) {
      this.#pieces.push(Buffer.from(piece));
      return;
    }
    this.#pieces.length = 0;
    this.#exchange.pause();
    this.#reject(new HttpProtocolError('BODY_TOO_LARGE'));
  }

  onBodyEnd(): void {
    if (this.#length > this.#limitBytes) return;
    const [first] = this.#pieces;
    this.#resolve(
      this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces),
    );
  }

  onAbort(reason: Error): void {
    this.#reject(reason);
  }

  onDrain(): void {}
}
