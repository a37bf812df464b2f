import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** The functions of `native/transport.c`; a negative result is an error's number. */
export interface NativeTransport {
  attach(slot: number, generation: number, fd: number): number;
  setReading(slot: number, generation: number, reading: 0 | 1): number;
  detach(slot: number, generation: number): number;
  /** How many rows were not sent whole; they stand first then, each with its rest, or with a negative length. */
  flush(rows: number): number;
}

/** Numbers of a row: slot, generation, offset, length. */
export const ROW = 4;

export interface NativeMemory {
  readonly input: Buffer;
  readonly inputRows: Int32Array;
  readonly output: Buffer;
  readonly outputRows: Int32Array;
  /** The most of one read. */
  readonly readBytes: number;
}

interface Addon {
  create(
    input: Buffer,
    inputRows: Int32Array,
    output: Buffer,
    outputRows: Int32Array,
    readBytes: number,
    onRows: (rows: number) => void,
  ): NativeTransport;
}

const OFF = /^(off|false|no|0)$/i;

/** The transport, or why there is none. */
export type LoadedTransport =
  | { readonly transport: NativeTransport }
  | { readonly transport?: undefined; readonly reason: string };

/** Loads what the build made of `native/transport.c`, where it could. `onRows` is called with the number of rows that were read. */
export function loadNativeTransport(
  memory: NativeMemory,
  onRows: (rows: number) => void,
  setting = process.env.PORTOLAN_NATIVE_TRANSPORT,
): LoadedTransport {
  if (setting !== undefined && OFF.test(setting)) {
    return { reason: 'switched off by PORTOLAN_NATIVE_TRANSPORT' };
  }
  const file = `../../dist/native/transport-${process.platform}-${process.arch}.node`;
  try {
    const addon = createRequire(import.meta.url)(
      fileURLToPath(new URL(file, import.meta.url)),
    ) as Addon;
    const { input, inputRows, output, outputRows, readBytes } = memory;
    return {
      transport: addon.create(input, inputRows, output, outputRows, readBytes, onRows),
    };
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
    return { reason: missing ? 'not built for this platform' : `cannot be loaded: ${error}` };
  }
}
