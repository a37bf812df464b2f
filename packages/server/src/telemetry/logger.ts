import { styleText } from 'node:util';
import type { Logger } from '@portolan/core';
import { destination, pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface ServerLogger extends Logger {
  /** Takes effect on this logger and on every child made of it. */
  setLevel(level: LogLevel): void;
  child(bindings: object): Logger;
}

export interface ServerLoggerOptions {
  readonly level: LogLevel;
  /** `auto`: readable on a terminal, JSON otherwise. */
  readonly format: 'auto' | 'json' | 'pretty';
  /** Fields of every line. */
  readonly fields?: object;
}

export interface LogTarget {
  readonly isTty: boolean;
  write(line: string): void;
}

const LEVEL_NUMBERS: Readonly<Record<LogLevel, number>> = {
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  silent: Number.POSITIVE_INFINITY,
};
const LEVEL_NAMES: Readonly<Record<number, string>> = {
  20: styleText('dim', 'debug', { validateStream: false }),
  30: styleText('green', 'info ', { validateStream: false }),
  40: styleText('yellow', 'warn ', { validateStream: false }),
  50: styleText('red', 'error', { validateStream: false }),
};

/** The server's log on standard error, written at once: nothing is lost when the process ends. */
export function createServerLogger(
  options: ServerLoggerOptions,
  target: LogTarget = standardError(),
): ServerLogger {
  const pretty = options.format === 'pretty' || (options.format === 'auto' && target.isTty);
  const stream = {
    write: pretty ? (line: string) => target.write(toReadable(line)) : target.write,
  };
  // pino's own level stays at debug and ours is asked first, so that a change reaches existing children too.
  const root = pino(
    { level: 'debug', base: options.fields ?? null, formatters: levelAsWord(pretty) },
    stream,
  );
  const threshold = { value: LEVEL_NUMBERS[options.level] };
  return {
    ...wrap(root, threshold),
    setLevel: (level) => {
      threshold.value = LEVEL_NUMBERS[level];
    },
  };
}

type PinoLike = Pick<ReturnType<typeof pino>, 'debug' | 'info' | 'warn' | 'error'> & {
  child(bindings: object): PinoLike;
};

function wrap(inner: PinoLike, threshold: { readonly value: number }): Logger {
  return {
    debug: (fields, message) => {
      if (threshold.value <= 20) inner.debug(fields, message);
    },
    info: (fields, message) => {
      if (threshold.value <= 30) inner.info(fields, message);
    },
    warn: (fields, message) => {
      if (threshold.value <= 40) inner.warn(fields, message);
    },
    error: (fields, message) => {
      if (threshold.value <= 50) inner.error(fields, message);
    },
    child: (bindings) => wrap(inner.child(bindings), threshold),
  };
}

/** Words in JSON for people's queries; numbers for the readable form, which looks them up. */
function levelAsWord(pretty: boolean) {
  return pretty ? {} : { level: (label: string) => ({ level: label }) };
}

function standardError(): LogTarget {
  const sync = destination({ dest: 2, sync: true });
  return { isTty: process.stderr.isTTY === true, write: (line) => void sync.write(line) };
}

/** `21:03:04.123 info  gateway: listening  address=127.0.0.1:8080`. */
function toReadable(line: string): string {
  const { level, time, msg, component, err, ...fields } = JSON.parse(line) as Record<
    string,
    unknown
  >;
  const clock = new Date(Number(time)).toISOString().slice(11, 23);
  let text = `${styleText('dim', clock, { validateStream: false })} ${LEVEL_NAMES[Number(level)] ?? String(level)} `;
  if (component !== undefined) text += `${String(component)}: `;
  text += String(msg ?? '');
  for (const [key, value] of Object.entries(fields)) {
    const shown = typeof value === 'string' ? value : JSON.stringify(value);
    text += `  ${styleText('dim', `${key}=`, { validateStream: false })}${shown}`;
  }
  if (typeof err === 'object' && err !== null) {
    const { stack, message } = err as { stack?: string; message?: string };
    text += `\n  ${(stack ?? message ?? '').replaceAll('\n', '\n  ')}`;
  }
  return `${text}\n`;
}
