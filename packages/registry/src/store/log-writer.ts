import { closeSync, constants, fsync, ftruncateSync, open, write } from 'node:fs';
import type { Entry, Revision } from '@portolan/core';
import { FRAME_HEAD_BYTES, recordBound, writeFrameHead, writeRecord } from './log-frame.ts';

/** What was written where. */
export interface WrittenRecord {
  readonly key: string;
  readonly entry: Entry | undefined;
  readonly offset: number;
  readonly bytes: number;
}

const KEPT_BYTES = 8 * 1024 * 1024;

/** The end of the newest log. One write is under way at a time. */
export class LogWriter {
  readonly #descriptor: number;
  #end: number;
  #buffer = Buffer.allocUnsafeSlow(256 * 1024);

  /** Of a log that is open for durable writes; closes it. */
  constructor(descriptor: number, end: number) {
    this.#descriptor = descriptor;
    this.#end = end;
  }

  static async open(path: string, end: number): Promise<LogWriter> {
    const descriptor = await new Promise<number>((resolve, reject) => {
      open(path, constants.O_RDWR | constants.O_DSYNC, (error, opened) =>
        error ? reject(error) : resolve(opened),
      );
    });
    return new LogWriter(descriptor, end);
  }

  /** Bytes of the log so far. */
  get end(): number {
    return this.#end;
  }

  /** Resolves when the frame is durable; rejects when nothing of it is in the log. */
  async append(
    entries: ReadonlyMap<string, Entry | undefined>,
    revision: Revision,
  ): Promise<readonly WrittenRecord[]> {
    const { frame, written } = this.#encode(entries, revision);
    try {
      await this.#write(frame);
    } catch (error) {
      // What was written of it must not stand before the next frame.
      ftruncateSync(this.#descriptor, this.#end);
      throw error;
    }
    this.#end += frame.length;
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(256 * 1024);
    return written;
  }

  /** Cuts off what follows the last whole frame, durably. */
  async cut(): Promise<void> {
    ftruncateSync(this.#descriptor, this.#end);
    await new Promise<void>((resolve, reject) => {
      fsync(this.#descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #encode(
    entries: ReadonlyMap<string, Entry | undefined>,
    revision: Revision,
  ): { readonly frame: Buffer; readonly written: readonly WrittenRecord[] } {
    let bound = FRAME_HEAD_BYTES;
    for (const [key, entry] of entries) bound += recordBound(key, entry?.value ?? '');
    if (bound > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(bound);
    const buffer = this.#buffer;
    const written: WrittenRecord[] = [];
    let at = FRAME_HEAD_BYTES;
    for (const [key, entry] of entries) {
      const bytes = writeRecord(buffer, at, key, entry);
      written.push({ key, entry, offset: this.#end + at, bytes });
      at += bytes;
    }
    const recordBytes = at - FRAME_HEAD_BYTES;
    writeFrameHead(buffer, 0, { kind: 'commits', recordBytes, count: entries.size, revision });
    return { frame: buffer.subarray(0, at), written };
  }

  async #write(frame: Buffer): Promise<void> {
    for (let done = 0; done < frame.length; ) {
      done += await new Promise<number>((resolve, reject) => {
        const left = frame.length - done;
        write(this.#descriptor, frame, done, left, this.#end + done, (error, bytes) =>
          error ? reject(error) : resolve(bytes),
        );
      });
    }
  }
}
