import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import type { ControlReply, ControlRequest } from '@portolan/core';
import type { EurekaInstance } from './instance-info.ts';
import {
  applicationJson,
  applicationsJson,
  compactInstanceJson,
  instanceJson,
} from './write-json.ts';
import {
  applicationsXml,
  applicationXml,
  compactInstanceXml,
  instanceXml,
  xmlDocument,
} from './xml/write-xml.ts';

const compress = promisify(gzip);
/** Less than this gains nothing. */
const GZIP_FROM_CHARS = 1_024;
/** More than this is sent piece by piece. */
const WHOLE_CHARS = 256 * 1_024;

/** How a reader wants to be told. */
export interface AnswerForm {
  /** Names the form among the texts that are kept. */
  readonly variant: string;
  readonly contentType: string;
  /** Between two instances of an application. */
  readonly separator: string;
  instance(instance: EurekaInstance): string;
  /** A document of one instance, one application, or all of them. */
  instanceDocument(instance: string): string;
  applicationDocument(name: string, instances: string): string;
  applicationsDocument(
    head: { readonly version: string; readonly hash: string },
    applications: Iterable<{ readonly name: string; readonly instances: string }>,
  ): Generator<string>;
}

const JSON_FORM: AnswerForm = {
  variant: 'json',
  contentType: 'application/json',
  separator: ',',
  instance: instanceJson,
  instanceDocument: (instance) => `{"instance":${instance}}`,
  applicationDocument: (name, instances) => `{"application":${applicationJson(name, instances)}}`,
  applicationsDocument: applicationsJson,
};
const XML_FORM: AnswerForm = {
  variant: 'xml',
  contentType: 'application/xml',
  separator: '',
  instance: instanceXml,
  instanceDocument: xmlDocument,
  applicationDocument: (name, instances) => xmlDocument(applicationXml(name, instances)),
  applicationsDocument: applicationsXml,
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

/** XML unless JSON is asked for, as Eureka does. */
export function formOf(request: ControlRequest): AnswerForm {
  const json = request.header('accept')?.toLowerCase().includes('json') ?? false;
  const compact = request.header('x-eureka-accept')?.toLowerCase() === 'compact';
  if (compact) return json ? COMPACT_JSON : COMPACT_XML;
  return json ? JSON_FORM : XML_FORM;
}

/** A document, compressed when the reader takes that. Large ones go out piece by piece. */
export async function answerWith(
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
      const rest = inTurns(text, iterator);
      if (!zipped) return { status, headers, body: rest };
      const packed = Readable.from(rest).compose(createGzip({ level: 1 }));
      return { status, headers: { ...headers, 'content-encoding': 'gzip' }, body: packed };
    }
  }
  if (!zipped || text.length < GZIP_FROM_CHARS) return { status, headers, body: text };
  const body = await compress(text);
  return { status, headers: { ...headers, 'content-encoding': 'gzip' }, body };
}

async function* inTurns(begun: string, rest: Iterator<string>): AsyncGenerator<string> {
  let text = begun;
  for (;;) {
    if (text.length > WHOLE_CHARS) {
      yield text;
      text = '';
    }
    const next = rest.next();
    if (next.done) break;
    text += next.value;
  }
  if (text !== '') yield text;
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
