import { FIELD, type HeadLimits, parseRequestHead, type RequestHead } from '@portolan/http';

/** The two forms of gRPC-Web's bodies: bytes as they are, or base64 for clients that can read text only. */
export type GrpcWebForm = 'binary' | 'text';

/** `application/grpc-web`, `application/grpc-web-text`, and what names the message format behind it. */
const GRPC_WEB = /^application\/grpc-web(-text)?(?=$|[+; ])/i;

/** The form of a gRPC-Web request, by its method and content type; undefined for any other request. */
export function grpcWebForm(head: Pick<RequestHead, 'method' | 'get'>): GrpcWebForm | undefined {
  if (head.method !== 'POST') return undefined;
  return formOf(head.get('content-type'));
}

/** The form that the answer is to have: what the client accepts, else that of its request. */
export function answerForm(head: Pick<RequestHead, 'get'>, asked: GrpcWebForm): GrpcWebForm {
  return formOf(head.get('accept')) ?? asked;
}

function formOf(type: string | undefined): GrpcWebForm | undefined {
  const match = type === undefined ? null : GRPC_WEB.exec(type);
  if (match === null) return undefined;
  return match[1] === undefined ? 'binary' : 'text';
}

/** Everything was within limits when it came in; content type and framing may be longer now. */
const ROOM: HeadLimits = {
  headBytes: Number.MAX_SAFE_INTEGER,
  maxFields: Number.MAX_SAFE_INTEGER,
  targetBytes: Number.MAX_SAFE_INTEGER,
};
const FRAMING = FIELD.contentLength | FIELD.transferEncoding;

/** The same request as gRPC would have it. The length of a decoded body is not known ahead of it. */
export function toGrpcHead(head: RequestHead, form: GrpcWebForm): RequestHead {
  const type = (head.get('content-type') ?? '').replace(GRPC_WEB, 'application/grpc');
  const kept = head.linesWithout(
    FRAMING,
    (fields, index) => fields.fieldName(index).toLowerCase() === 'content-type',
  );
  const { framing } = head;
  let framed = '';
  if (framing.kind === 'chunked' || (form === 'text' && head.contentLength > 0)) {
    framed = 'Transfer-Encoding: chunked\r\n';
  } else if (framing.kind === 'length') framed = `Content-Length: ${framing.length}\r\n`;
  const text = `POST ${head.target} HTTP/1.1\r\n${kept}Content-Type: ${type}\r\n${framed}\r\n`;
  const bytes = Buffer.from(text, 'latin1');
  return parseRequestHead(bytes, 0, bytes.length, ROOM) ?? head;
}

const CONTENT_TYPE = /^content-type:[ \t]*application\/grpc(?=[+; \r])/im;

/** Header lines of a gRPC answer as gRPC-Web has them; undefined for an answer that is no gRPC. */
export function toGrpcWebLines(lines: string, form: GrpcWebForm): string | undefined {
  if (!CONTENT_TYPE.test(lines)) return undefined;
  const type = form === 'text' ? 'application/grpc-web-text' : 'application/grpc-web';
  return lines.replace(CONTENT_TYPE, `Content-Type: ${type}`);
}

const TRAILER_FRAME = 0x80;

/** The frame that carries trailers behind the messages: a flag, a length, and lines with names in lower case. */
export function trailerFrame(trailerLines: string): Buffer {
  const lines = trailerLines.replace(/^[^:\r\n]+/gm, (name) => name.toLowerCase());
  const text = Buffer.from(lines, 'latin1');
  const frame = Buffer.alloc(5 + text.length);
  frame[0] = TRAILER_FRAME;
  frame.writeUInt32BE(text.length, 1);
  text.copy(frame, 5);
  return frame;
}
