import type { ForwardAuth } from '@portolan/core';
import {
  FIELD,
  fieldLine,
  type MessageFields,
  NOT_FORWARDED,
  type ResponseHead,
} from '@portolan/http';
import type { Filter, FilteredRequest } from './filter.ts';

/** A question to a service. */
export interface ServiceQuestion {
  readonly target: string;
  /** Whole header lines, Host among them, without framing. */
  readonly lines: string;
  readonly timeoutMs: number;
}

/** An answer, its body bounded. */
export interface ServiceAnswer {
  readonly head: ResponseHead;
  readonly body: Buffer;
}

/** Asks a service; `done` is called once, with undefined when there is no answer. The returned function gives up silently. */
export type AskService = (
  question: ServiceQuestion,
  done: (answer: ServiceAnswer | undefined) => void,
) => () => void;

/** Of an answer that refuses: what its reader needs. */
const PASSED_ON = [
  'Location',
  'WWW-Authenticate',
  'Content-Type',
  'Content-Language',
  'Cache-Control',
  'Retry-After',
];
const NOT_ASKED = NOT_FORWARDED | FIELD.host | FIELD.forwarded | FIELD.underscore | FIELD.expect;

/** Asks another service whether a request may pass: 2xx lets it, anything else is the answer. */
export function createForwardAuthFilter(auth: ForwardAuth, ask: AskService): Filter {
  const copied = auth.copyHeaders ?? [];
  return {
    name: 'forward-auth',
    onRequest(request) {
      // Always: what only the service may say must not come from the client.
      for (const name of copied) request.removeHeader(name);
      const question = {
        target: auth.appendPath ? joinPaths(auth.path, request.path) + request.query : auth.path,
        lines: questionLines(auth, request),
        timeoutMs: auth.timeoutMs,
      };
      const giveUp = ask(question, (answer) => settle(request, answer));
      request.onOver(giveUp);
      return 'wait';
    },
  };

  function settle(request: FilteredRequest, answer: ServiceAnswer | undefined): void {
    if (!answer || answer.head.status >= 500) {
      if (auth.failOpen) request.proceed();
      else request.refuse('AUTH_UNAVAILABLE');
      return;
    }
    const { head, body } = answer;
    if (head.status >= 200 && head.status < 300) {
      for (const name of copied) {
        const value = head.joined(name.toLowerCase());
        if (value !== undefined) request.setHeader(name, value);
      }
      request.proceed();
      return;
    }
    const lines: string[] = [];
    for (const name of PASSED_ON) {
      const value = head.get(name.toLowerCase());
      if (value !== undefined) lines.push(name, value);
    }
    for (const cookie of allOf(head, 'set-cookie')) lines.push('Set-Cookie', cookie);
    // 304 and the like answer nothing that was asked here.
    const status = head.status >= 300 && head.status !== 304 ? head.status : 403;
    request.answer(status, lines, body);
  }
}

function questionLines(auth: ForwardAuth, request: FilteredRequest): string {
  const { head } = request;
  let lines = `Host: ${auth.service.service}\r\n`;
  if (auth.requestHeaders === undefined) {
    const kept = head.linesWithout(NOT_ASKED);
    lines += kept === '\r\n' ? '' : kept;
  } else {
    for (const name of auth.requestHeaders) {
      for (const value of allOf(head, name.toLowerCase())) lines += fieldLine(name, value);
    }
  }
  const proto = request.secure ? 'https' : 'http';
  lines += `X-Forwarded-Method: ${head.method}\r\nX-Forwarded-Proto: ${proto}\r\n`;
  lines += `X-Forwarded-Host: ${head.host}\r\nX-Forwarded-For: ${request.clientIp}\r\n`;
  return `${lines}X-Forwarded-Uri: ${request.path}${request.query}\r\nX-Request-Id: ${request.requestId}\r\n`;
}

function allOf(fields: MessageFields, lowerName: string): string[] {
  const values: string[] = [];
  for (let index = 0; index < fields.fieldCount; index++) {
    if (fields.fieldName(index).toLowerCase() === lowerName) values.push(fields.fieldValue(index));
  }
  return values;
}

function joinPaths(base: string, path: string): string {
  return base.endsWith('/') ? base + path.slice(1) : base + path;
}
