import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import type { Clock, ControlReply, ControlRequest } from '@portolan/core';
import type { EurekaInstance } from './instance-info.ts';
import {
  applicationHeadJson,
  applicationsHeadJson,
  compactInstanceJson,
  instanceJson,
} from './write-json.ts';
import {
  applicationHeadXml,
  applicationsHeadXml,
  compactInstanceXml,
  instanceXml,
  xmlDocument,
} from './xml/write-xml.ts';

const compress = promisify(gzip);
/** Less than this gains nothing. */
const GZIP_FROM_CHARS = 1_024;
/** More than this is sent piece by piece, with others’ turns between two. */
const WHOLE_CHARS = 256 * 1_024;

export interface ApplicationsHead {
  readonly version: string;
  readonly hash: string;
}

/** An application whose instances are written already, one or several in a piece. */
export interface WrittenApplication {
  readonly name: string;
  readonly pieces: Iterable<string>;
}

/** How a reader wants to be told. */
export interface AnswerForm {
  /** Names the form among the texts that are kept. */
  readonly variant: string;
  readonly contentType: string;
  /** Between two applications, and between two instances. */
  readonly separator: string;
  instance(instance: EurekaInstance): string;
  /** A document of one instance. */
  instanceDocument(instance: string): string;
  applicationsHead(head: ApplicationsHead): string;
  readonly applicationsEnd: string;
  applicationHead(name: string): string;
  readonly applicationEnd: string;
  /** Around an application that is a document by itself. */
  readonly alone: { readonly head: string; readonly end: string };
}

const JSON_FORM: AnswerForm = {
  variant: 'json',
  contentType: 'application/json',
  separator: ',',
  instance: instanceJson,
  instanceDocument: (instance) => `{"instance":${instance}}`,
  applicationsHead: applicationsHeadJson,
  applicationsEnd: ']}}',
  applicationHead: applicationHeadJson,
  applicationEnd: ']}',
  alone: { head: '{"application":', end: '}' },
};
const XML_FORM: AnswerForm = {
  variant: 'xml',
  contentType: 'application/xml',
  separator: '',
  instance: instanceXml,
  instanceDocument: xmlDocument,
  applicationsHead: applicationsHeadXml,
  applicationsEnd: '</applications>',
  applicationHead: applicationHeadXml,
  applicationEnd: '</application>',
  alone: { head: xmlDocument(''), end: '' },
};
const COMPACT_JSON: AnswerForm = {
  ...JSON_FORM,
  variant: 'compact json',
  instance: compactInstanceJson,
};
const COMPACT_XML: AnswerForm = {
  ...XML_FORM,
  variant: 'compact xml',
  instance: compactInstanceXml,
};

/** A document of applications, in pieces. */
export function* applicationsDocument(
  form: AnswerForm,
  head: ApplicationsHead,
  applications: Iterable<WrittenApplication>,
): Generator<string> {
  yield form.applicationsHead(head);
  let separator = '';
  for (const application of applications) {
    yield separator;
    yield* applicationPieces(form, application);
    separator = form.separator;
  }
  yield form.applicationsEnd;
}

/** A document of one application, in pieces. */
export function* applicationDocument(
  form: AnswerForm,
  application: WrittenApplication,
): Generator<string> {
  yield form.alone.head;
  yield* applicationPieces(form, application);
  yield form.alone.end;
}

function* applicationPieces(
  form: AnswerForm,
  { name, pieces }: WrittenApplication,
): Generator<string> {
  yield form.applicationHead(name);
  let separator = '';
  for (const piece of pieces) {
    if (piece === '') continue;
    yield separator + piece;
    separator = form.separator;
  }
  yield form.applicationEnd;
}

/** XML unless JSON is asked for, as Eureka does. */
export function formOf(request: ControlRequest): AnswerForm {
  const json = request.header('accept')?.toLowerCase().includes('json') ?? false;
  const compact = request.header('x-eureka-accept')?.toLowerCase() === 'compact';
  if (compact) return json ? COMPACT_JSON : COMPACT_XML;
  return json ? JSON_FORM : XML_FORM;
}

/** A document, compressed when the reader takes that. Large ones go out piece by piece. */
export async function answerWith(
  { clock }: { readonly clock: Clock },
  request: ControlRequest,
  { contentType }: Pick<AnswerForm, 'contentType'>,
  pieces: Iterable<string>,
  status = 200,
): Promise<ControlReply> {
  const headers = {
    'content-type': contentType,
    'cache-control': 'no-store',
    vary: 'accept, accept-encoding, x-eureka-accept',
  };
  const zipped = takesGzip(request.header('accept-encoding'));
  const iterator = pieces[Symbol.iterator]();
  let text = '';
  for (let next = iterator.next(); ; next = iterator.next()) {
    if (next.done) break;
    text += next.value;
    if (text.length > WHOLE_CHARS) {
      const rest = inTurns(clock, text, iterator);
      if (!zipped) return { status, headers, body: rest };
      const packed = Readable.from(rest).compose(createGzip({ level: 1 }));
      return { status, headers: { ...headers, 'content-encoding': 'gzip' }, body: packed };
    }
  }
  if (!zipped || text.length < GZIP_FROM_CHARS) return { status, headers, body: text };
  const body = await compress(text);
  return { status, headers: { ...headers, 'content-encoding': 'gzip' }, body };
}

async function* inTurns(
  clock: Clock,
  begun: string,
  rest: Iterator<string>,
): AsyncGenerator<string> {
  let text = begun;
  for (;;) {
    if (text.length > WHOLE_CHARS) {
      yield text;
      text = '';
      await otherTurns(clock);
    }
    const next = rest.next();
    if (next.done) break;
    text += next.value;
  }
  if (text !== '') yield text;
}

/** Lets everybody else who waits have a turn. */
export function otherTurns(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(0, resolve);
  });
}

function takesGzip(accepted: string | undefined): boolean {
  if (accepted === undefined) return false;
  return accepted.split(',').some((part) => {
    const [name, ...parameters] = part
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/);
    return name === 'gzip' && !parameters.some((each) => /^q=0(\.0*)?$/.test(each));
  });
}
