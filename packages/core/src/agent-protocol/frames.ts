/** Token of the Upgrade field, with the version that this code speaks. */
export const AGENT_PROTOCOL = 'portolan-agent/1';

/** Path of the control port at which a connection switches to it. */
export const AGENT_PATH = '/api/v1/agent';

/** Length of the payload (4 bytes), type (1), number of the request (4); all big-endian. */
export const FRAME_HEADER_BYTES = 9;

/** What a frame is. Those of clients are below 16, those of servers from 16; PING and PONG go both ways. */
export const FRAME = {
  REGISTER: 1,
  ATTACH: 2,
  RENEW: 3,
  REPORT: 4,
  DEREGISTER: 5,
  PING: 6,
  PONG: 7,
  HELLO: 16,
  RESULTS: 17,
  RENEWED: 18,
  ERROR: 19,
  GOAWAY: 20,
  ROLES: 21,
} as const;

export type FrameName = keyof typeof FRAME;
export type FrameType = (typeof FRAME)[FrameName];

/** What one connection may hold. The server says its own in HELLO. */
export const AGENT_LIMITS = {
  /** Longest payload of a frame, both ways but for RESULTS, which are as long as what they answer. */
  frameBytes: 262_144,
  /** Slots are numbered from 0 to one below this. */
  slots: 65_536,
  /** Requests that wait for the disk at a time; the server reads no further beyond it. */
  window: 32,
  /** Instances in one REGISTER. */
  registrations: 1_000,
  /** Reports in one REPORT. */
  reports: 1_000,
  /** Longest payload of PING and PONG. */
  pingBytes: 8,
} as const;

/** One frame. `payload` is lent: it is valid until the reader is fed again. */
export interface Frame {
  readonly type: FrameType;
  /** 0 where nothing is asked or answered. */
  readonly request: number;
  readonly payload: Uint8Array;
}

/** Which peer a frame comes from. */
export type FrameSender = 'client' | 'server';

const NAMES = new Map<number, FrameName>(
  (Object.keys(FRAME) as FrameName[]).map((name) => [FRAME[name], name]),
);
const BOTH_WAYS: ReadonlySet<number> = new Set([FRAME.PING, FRAME.PONG]);
const FIRST_OF_SERVERS = FRAME.HELLO;

export function frameName(type: FrameType): FrameName {
  return NAMES.get(type) ?? 'ERROR';
}

/** The type, if frames of it may come from `sender`. */
export function toFrameType(byte: number, sender: FrameSender): FrameType | undefined {
  if (!NAMES.has(byte)) return undefined;
  const fits = BOTH_WAYS.has(byte) || byte >= FIRST_OF_SERVERS === (sender === 'server');
  return fits ? (byte as FrameType) : undefined;
}

/** A whole frame. */
export function encodeFrame(type: FrameType, request: number, payload?: Uint8Array): Uint8Array {
  const length = payload?.length ?? 0;
  const frame = new Uint8Array(FRAME_HEADER_BYTES + length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, length);
  view.setUint8(4, type);
  view.setUint32(5, request);
  if (payload !== undefined) frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

const utf8 = new TextEncoder();

/** A whole frame whose payload is JSON text. */
export function encodeJsonFrame(type: FrameType, request: number, document: unknown): Uint8Array {
  return encodeFrame(type, request, utf8.encode(JSON.stringify(document)));
}

/** Frames one behind the other. */
export function joinFrames(frames: readonly Uint8Array[]): Uint8Array {
  const [only] = frames;
  if (only && frames.length === 1) return only;
  const bytes = new Uint8Array(frames.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const frame of frames) {
    bytes.set(frame, at);
    at += frame.length;
  }
  return bytes;
}

/** Numbers as RENEW, DEREGISTER and RENEWED carry them: four bytes each, big-endian. */
export function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * numbers.length);
  const view = new DataView(bytes.buffer);
  for (const [at, number] of numbers.entries()) view.setUint32(4 * at, number);
  return bytes;
}

/** Undefined when the length is no multiple of four. */
export function decodeNumbers(payload: Uint8Array): number[] | undefined {
  if (payload.length % 4 !== 0) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const numbers = new Array<number>(payload.length / 4);
  for (let at = 0; at < numbers.length; at++) numbers[at] = view.getUint32(4 * at);
  return numbers;
}
