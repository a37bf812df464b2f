import {
  type BrotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  type Gzip,
  type ZstdCompress,
} from 'node:zlib';
import type { CompressionCoding } from '@portolan/core';
import type { BodySink, BodyTransform } from './filter.ts';

/** A body through one of the runtime's compressors. */
export class ZlibTransform implements BodyTransform {
  readonly #stream: Gzip | BrotliCompress | ZstdCompress;
  readonly #flushesEachPiece: boolean;
  #ended = false;
  onWritable: () => void = () => undefined;

  /** `flushesEachPiece`: each piece arrives before the next one is there, as in a stream of events. */
  constructor(coding: CompressionCoding, options: { readonly flushesEachPiece: boolean }) {
    this.#stream = createCompressor(coding);
    this.#flushesEachPiece = options.flushesEachPiece;
  }

  start(sink: BodySink): void {
    const stream = this.#stream;
    stream.on('data', (piece: Buffer) => {
      if (!sink.write(piece)) stream.pause();
    });
    stream.on('drain', () => this.onWritable());
    stream.on('end', () => sink.end());
    stream.on('error', (error) => sink.fail(error));
  }

  write(piece: Buffer): boolean {
    const more = this.#stream.write(piece);
    if (this.#flushesEachPiece) this.#stream.flush();
    return more;
  }

  end(): void {
    this.#ended = true;
    this.#stream.end();
  }

  resume(): void {
    this.#stream.resume();
    if (!this.#ended && !this.#stream.writableNeedDrain) this.onWritable();
  }

  destroy(): void {
    this.#stream.removeAllListeners('data');
    this.#stream.removeAllListeners('end');
    this.#stream.on('error', () => undefined);
    this.#stream.destroy();
  }
}

/** Levels for answers made on the way: nearly the best ratio for a small part of the time. */
function createCompressor(coding: CompressionCoding): Gzip | BrotliCompress | ZstdCompress {
  switch (coding) {
    case 'gzip':
      return createGzip({ level: 5 });
    case 'br':
      return createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
    case 'zstd':
      return createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  }
}
