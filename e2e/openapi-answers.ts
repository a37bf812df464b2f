import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** An exchange with the native API as it went over the wire. */
export interface ObservedExchange {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** As sent; absent when there was none. */
  readonly requestBody?: string;
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** One server-sent event as it went over the wire. */
export interface ObservedEvent {
  readonly name: string;
  readonly id?: string;
  readonly data: string;
}

interface MediaContent {
  readonly schema?: object;
  readonly 'x-event-data'?: Readonly<Record<string, object>>;
}
interface DocumentedResponse {
  readonly headers?: Readonly<Record<string, object>>;
  readonly content?: Readonly<Record<string, MediaContent>>;
}
interface DocumentedOperation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, MediaContent>> };
  readonly responses: Readonly<Record<string, DocumentedResponse>>;
}
interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
}

/** Says where an exchange is not as the API document has it; nothing when all is well. */
export interface AnswerCheck {
  (exchange: ObservedExchange): readonly string[];
  /** The same for one event of an answer that is a stream of them. */
  event(exchange: ObservedExchange, event: ObservedEvent): readonly string[];
}

const NATIVE = /^\/(api\/v1|register|heartbeat|openapi\.json)(\/|\?|$)/;
const PROTOCOL_TYPE = 'urn:portolan:protocol-error:';
const EVENT_STREAM = 'text/event-stream';
const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const;

/** Whether a request to the control port belongs to the native API. */
export function isNativeTarget(target: string): boolean {
  return NATIVE.test(target);
}

/** Compiles the document that a server gives out into a check of its answers. */
export function createAnswerCheck(document: unknown): AnswerCheck {
  const { paths } = document as OpenApiDocument;
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true });
  addFormats.default(ajv);
  ajv.addSchema(document as object, 'api', undefined, false);
  const validators = new Map<string, ValidateFunction>();
  const templates = Object.keys(paths)
    .map((path) => ({ path, pattern: toPattern(path), literal: !path.includes('{') }))
    // OpenAPI 3.1 "Path Templating Matching": concrete paths come first.
    .sort((a, b) => Number(b.literal) - Number(a.literal));

  function validate(pointer: readonly string[], value: unknown): string[] {
    const ref = `api#/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
    let validator = validators.get(ref);
    if (!validator) {
      validator = ajv.compile({ $ref: ref });
      validators.set(ref, validator);
    }
    if (validator(value)) return [];
    return (validator.errors ?? []).map(
      (error) => `${error.instancePath || '$'} ${error.message} ${JSON.stringify(error.params)}`,
    );
  }

  /** The operation that an exchange is one of, and where the document has it. */
  function find(exchange: ObservedExchange) {
    const [path = ''] = exchange.target.split('?');
    const template = templates.find(({ pattern }) => pattern.test(path))?.path ?? '';
    const item = paths[template];
    const method = exchange.method === 'HEAD' ? 'get' : exchange.method.toLowerCase();
    return { item, operation: item?.[method], at: ['paths', template, method] };
  }

  function checkEvent(exchange: ObservedExchange, event: ObservedEvent): readonly string[] {
    const { operation, at } = find(exchange);
    const content = operation?.responses[exchange.status]?.content?.[EVENT_STREAM];
    const documented = Object.keys(content?.['x-event-data'] ?? {});
    if (!documented.includes(event.name)) {
      return [`event "${event.name}" is not documented, only ${documented.join(', ') || 'none'}`];
    }
    const found: string[] = [];
    // Where a reader resumes: a revision.
    if (event.id !== undefined && !/^\d+$/.test(event.id)) found.push(`event id "${event.id}"`);
    const data = parseJson(event.data);
    if (data === undefined) return [...found, `data of event "${event.name}" is not JSON`];
    const status = String(exchange.status);
    const pointer = [...at, 'responses', status, 'content', EVENT_STREAM, 'x-event-data'];
    const wrong = validate([...pointer, event.name], data);
    return [...found, ...wrong.map((problem) => `data of event "${event.name}": ${problem}`)];
  }

  /** The HTTP engine refuses faulty messages itself, before any operation sees them; all operations say alike how. */
  function checkRefusal(exchange: ObservedExchange): readonly string[] {
    const [path, method] = ['/openapi.json', 'get'];
    const response = paths[path]?.[method]?.responses.default;
    if (!response) return ['refusals of the HTTP engine are not documented'];
    return responseProblems(exchange, response, (type, value) =>
      validate(['paths', path, method, 'responses', 'default', 'content', type, 'schema'], value),
    );
  }

  function checkAnswer(exchange: ObservedExchange): readonly string[] {
    const { item, operation, at } = find(exchange);
    if (isEngineRefusal(exchange)) return checkRefusal(exchange);
    if (operation === undefined) return undocumented(exchange, item);
    const response = operation.responses[exchange.status];
    if (!response) return [`status ${exchange.status} is not documented`];
    const found = responseProblems(exchange, response, (type, value) =>
      validate([...at, 'responses', String(exchange.status), 'content', type, 'schema'], value),
    );
    // Of a batch each item is judged by itself: with failed ones the request was not as the schema says.
    const isWhole = !/"failed":[1-9]\d*\}$/.test(exchange.body);
    if (exchange.status < 300 && isWhole) {
      found.push(...queryProblems(exchange, operation));
      const type = 'application/json';
      if (exchange.requestBody && operation.requestBody?.content[type]) {
        const sent = validate(
          [...at, 'requestBody', 'content', type, 'schema'],
          JSON.parse(exchange.requestBody),
        );
        found.push(
          ...sent.map((problem) => `the body was taken, though the document says: ${problem}`),
        );
      }
    }
    return found;
  }

  return Object.assign(checkAnswer, { event: checkEvent });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toPattern(path: string): RegExp {
  const source = path.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${source}$`);
}

function isEngineRefusal({ status, headers, body }: ObservedExchange): boolean {
  return (
    status >= 400 &&
    headers.get('content-type') === 'application/problem+json' &&
    body.startsWith(`{"type":"${PROTOCOL_TYPE}`)
  );
}

/** What is not in the document must be refused as such. */
function undocumented(exchange: ObservedExchange, item: object | undefined): string[] {
  const expected = item === undefined ? [404] : [405, 501];
  if (expected.includes(exchange.status)) return problemDocumentProblems(exchange);
  // The guard before all dialects may refuse anything.
  if ([403, 503].includes(exchange.status)) return [];
  const documented = Object.keys(item ?? {}).filter((key) =>
    (METHODS as readonly string[]).includes(key),
  );
  return [
    `${exchange.method} is not in the document (${documented.join(', ') || 'no such path'}) but was answered with ${exchange.status}`,
  ];
}

function responseProblems(
  exchange: ObservedExchange,
  response: DocumentedResponse,
  validate: (type: string, value: unknown) => string[],
): string[] {
  const found: string[] = [];
  const type = exchange.headers.get('content-type')?.split(';')[0]?.trim() ?? '';
  const isStream = type === EVENT_STREAM;
  for (const name of isStream ? [] : Object.keys(response.headers ?? {})) {
    if (exchange.headers.get(name) === null) found.push(`the header ${name} is missing`);
  }
  const content = response.content ?? {};
  if (Object.keys(content).length === 0) {
    if (exchange.body !== '') found.push('a body that is not documented');
    return found;
  }
  if (!Object.hasOwn(content, type)) {
    return [
      ...found,
      `media type "${type}" is not documented, only ${Object.keys(content).join(', ')}`,
    ];
  }
  if (exchange.method === 'HEAD' || !/[/+]json$/.test(type)) return found;
  const value = parseJson(exchange.body);
  if (value === undefined) return [...found, 'a body that is not JSON'];
  found.push(...validate(type, value));
  if (type === 'application/problem+json') found.push(...problemDocumentProblems(exchange));
  return found;
}

/** RFC 9457 §3.1: what a problem document says of its answer has to be true of it. */
function problemDocumentProblems(exchange: ObservedExchange): string[] {
  const type = exchange.headers.get('content-type');
  if (type !== 'application/problem+json')
    return [`an error as "${type}" instead of a problem document`];
  if (exchange.method === 'HEAD') return [];
  const problem = JSON.parse(exchange.body) as Record<string, unknown>;
  const found: string[] = [];
  if (problem.status !== exchange.status)
    found.push(`problem status ${problem.status} in an answer ${exchange.status}`);
  const types = [`urn:portolan:error:${problem.code}`, `${PROTOCOL_TYPE}${problem.code}`];
  if (!types.includes(String(problem.type)))
    found.push(`problem type ${problem.type} for ${problem.code}`);
  const id = exchange.headers.get('x-request-id');
  if (id !== null && problem.instance !== id)
    found.push(`problem instance ${problem.instance}, request id ${id}`);
  if (exchange.status === 405 && exchange.headers.get('allow') === null)
    found.push('a 405 without Allow');
  return found;
}

function queryProblems(exchange: ObservedExchange, operation: DocumentedOperation): string[] {
  const at = exchange.target.indexOf('?');
  if (at < 0) return [];
  const known = new Set(
    (operation.parameters ?? []).filter((each) => each.in === 'query').map((each) => each.name),
  );
  return [...new URLSearchParams(exchange.target.slice(at)).keys()]
    .filter(
      (name) => !known.has(name) && !(name.startsWith('metadata.') && known.has('metadata.<key>')),
    )
    .map((name) => `the query parameter ${name} was taken but is not documented`);
}

const checks = new Map<string, Promise<AnswerCheck | undefined>>();
/** Servers of one build give out one document: it is compiled once, however often they are restarted. */
const compiled = new Map<string, AnswerCheck>();

/** Fails when an answer of the server at `origin` is not as its own document says. */
export async function requireDocumentedAnswer(
  origin: string,
  exchange: ObservedExchange,
): Promise<void> {
  if (!isNativeTarget(exchange.target)) return;
  const check = await answerCheckOf(origin);
  const found = check?.(exchange) ?? [];
  if (found.length > 0) throw new Error(describeDeviation(exchange, found));
}

/** The check of the server at `origin` by its own document; undefined when it gives out none. */
export function answerCheckOf(origin: string): Promise<AnswerCheck | undefined> {
  let check = checks.get(origin);
  if (!check) {
    check = fetchCheck(origin);
    checks.set(origin, check);
  }
  return check;
}

/** What was found wrong with an exchange, for people. */
export function describeDeviation(exchange: ObservedExchange, found: readonly string[]): string {
  return `${exchange.method} ${exchange.target} was answered otherwise than /openapi.json says:\n  ${found.join('\n  ')}\n${exchange.status} ${exchange.body.slice(0, 2_000)}`;
}

/** Undefined when nothing at the origin gives out a document: a gateway, or a server that has just ended. */
async function fetchCheck(origin: string): Promise<AnswerCheck | undefined> {
  try {
    const answer = await fetch(`${origin}/openapi.json`);
    if (answer.ok) {
      const text = await answer.text();
      const check = compiled.get(text) ?? createAnswerCheck(JSON.parse(text));
      compiled.set(text, check);
      return check;
    }
  } catch {
    // Asked again with the next answer.
  }
  checks.delete(origin);
  return undefined;
}
