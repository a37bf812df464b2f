import { ERROR_TABLE, type ErrorCode } from '@portolan/core';
import { z } from 'zod';
import type { Answer, Operation } from '../operation.ts';
import { problemAnswer, protocolProblemAnswer } from '../schemas/problem-schemas.ts';

type Json = Record<string, unknown>;

export interface OpenApiOptions {
  /** Path below which the operations live. */
  readonly base: string;
  readonly version: string;
}

const EVENT_STREAM = 'text/event-stream';
const SCHEMA_PREFIX = '#/components/schemas/';
/** Errors that any call may answer with. */
const COMMON_ERRORS: readonly ErrorCode[] = [
  'QUERY_INVALID',
  'METHOD_NOT_ALLOWED',
  'ORIGIN_FORBIDDEN',
  'TOO_MANY_REQUESTS',
  'CONTROL_OVERLOADED',
  'STARTING',
  'SHUTTING_DOWN',
  'STORE_CLOSED',
  'STORE_FAILED',
  'INTERNAL',
];
/** Of every call: the HTTP engine refuses what breaks the protocol before any operation sees it. */
const PROTOCOL_REFUSAL: Json = {
  default: {
    description: 'The message broke HTTP or a limit; the connection is closed.',
    content: { 'application/problem+json': { schema: refTo(protocolProblemAnswer, 'output') } },
  },
};
const BODY_ERRORS: readonly ErrorCode[] = [
  'BODY_MALFORMED',
  'BODY_NOT_UTF8',
  'BODY_TOO_LARGE',
  'BODY_TOO_DEEP',
  'BODY_FORBIDDEN_KEY',
  'MEDIA_TYPE_UNSUPPORTED',
];

/** The OpenAPI 3.1 document of the operations, from the schemas that validate. */
export function toOpenApiDocument(operations: readonly Operation[], options: OpenApiOptions): Json {
  const schemas = collectSchemas(operations);
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    const item = toOperationObject(operation);
    addPath(paths, `${options.base}${operation.path}`, operation.method, item);
    if (operation.alias !== undefined) {
      addPath(paths, operation.alias, operation.method, {
        ...item,
        operationId: `${operation.id}Alias`,
        summary: `${operation.summary} (short alias)`,
      });
    }
  }
  addPath(paths, '/openapi.json', 'GET', {
    operationId: 'getOpenApi',
    tags: ['Server'],
    summary: 'This document',
    responses: {
      200: { description: 'OpenAPI 3.1.', content: jsonContent({ type: 'object' }) },
      ...toProblemResponses(COMMON_ERRORS),
      ...PROTOCOL_REFUSAL,
    },
  });
  return {
    openapi: '3.1.1',
    info: {
      title: 'Portolan native API',
      version: options.version,
      description:
        'Service registry and gateway. Durations in requests are text such as "10s" or seconds as numbers; in answers they are whole milliseconds.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(operations.map((operation) => operation.tag))].map((name) => ({ name })),
    paths,
    components: { schemas },
  };
}

function addPath(paths: Record<string, Json>, path: string, method: string, item: Json): void {
  const key = path.replace(/:(\w+)/g, '{$1}');
  const known = paths[key] ?? {
    parameters: [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
  };
  known[method.toLowerCase()] = item;
  paths[key] = known;
}

function toOperationObject(operation: Operation): Json {
  const parameters: Json[] = [];
  for (const [name, parameter] of Object.entries(operation.query ?? {})) {
    const { description, schema, repeated } = parameter;
    parameters.push({
      name,
      in: 'query',
      description,
      schema: repeated ? { type: 'array', items: schema } : schema,
    });
  }
  for (const [name, description] of Object.entries(operation.requestHeaders ?? {})) {
    parameters.push({ name, in: 'header', description, schema: { type: 'string' } });
  }
  return {
    operationId: operation.id,
    tags: [operation.tag],
    summary: operation.summary,
    ...(parameters.length === 0 ? undefined : { parameters }),
    ...(operation.body === undefined ? undefined : { requestBody: toRequestBody(operation.body) }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.answers).map(([status, answer]) => [status, toResponse(answer)]),
      ),
      ...toProblemResponses([
        ...operation.errors,
        ...COMMON_ERRORS,
        ...(operation.body === undefined ? [] : BODY_ERRORS),
      ]),
      ...PROTOCOL_REFUSAL,
    },
  };
}

function toRequestBody(body: NonNullable<Operation['body']>): Json {
  const schema = body.schema === undefined ? { type: 'string' } : refTo(body.schema, 'input');
  const examples: unknown = body.schema?.meta()?.examples;
  const content: Json = { schema };
  if (Array.isArray(examples)) {
    content.examples = Object.fromEntries(
      examples.map((value: unknown, at) => [`example${at + 1}`, { value }]),
    );
  }
  return { required: body.required, content: { [body.mediaType ?? 'application/json']: content } };
}

function toResponse(answer: Answer): Json {
  const content: Json = {};
  if (answer.schema !== undefined) {
    content[answer.mediaType ?? 'application/json'] = { schema: refTo(answer.schema, 'output') };
  } else if (answer.mediaType !== undefined) {
    content[answer.mediaType] = { schema: { type: 'string' } };
  }
  if (answer.events !== undefined) {
    content[EVENT_STREAM] = {
      schema: { type: 'string' },
      // OpenAPI 3.1 has no word for the items of a stream: event name → schema of the JSON in its data.
      'x-event-data': Object.fromEntries(
        Object.entries(answer.events).map(([name, schema]) => [name, refTo(schema, 'output')]),
      ),
    };
  }
  const headers = Object.entries(answer.headers ?? {}).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' } },
  ]);
  return {
    description: answer.description,
    ...(headers.length === 0 ? undefined : { headers: Object.fromEntries(headers) }),
    ...(Object.keys(content).length === 0 ? undefined : { content }),
  };
}

function toProblemResponses(codes: readonly ErrorCode[]): Record<string, Json> {
  const byStatus = new Map<number, Set<ErrorCode>>();
  for (const code of codes) {
    const { http } = ERROR_TABLE[code];
    byStatus.set(http, (byStatus.get(http) ?? new Set<ErrorCode>()).add(code));
  }
  return Object.fromEntries(
    [...byStatus].map(([status, found]) => [
      status,
      {
        description: [...found].map((code) => `${code}: ${ERROR_TABLE[code].title}.`).join(' '),
        content: { 'application/problem+json': { schema: refTo(problemAnswer, 'output') } },
      },
    ]),
  );
}

function jsonContent(schema: Json): Json {
  return { 'application/json': { schema } };
}

function refTo(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { id } = schema.meta() ?? {};
  return id === undefined ? toInline(schema, io) : { $ref: `${SCHEMA_PREFIX}${id}` };
}

function toInline(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io });
  return json as Json;
}

/** Every named schema that an operation reaches, each once. */
function collectSchemas(operations: readonly Operation[]): Json {
  const schemas: Json = {};
  for (const { body, answers } of operations) {
    if (body?.schema) addSchema(body.schema, 'input', schemas);
    for (const answer of Object.values(answers)) {
      if (answer.schema) addSchema(answer.schema, 'output', schemas);
      for (const data of Object.values(answer.events ?? {})) addSchema(data, 'output', schemas);
    }
  }
  addSchema(problemAnswer, 'output', schemas);
  addSchema(protocolProblemAnswer, 'output', schemas);
  return Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function addSchema(schema: z.ZodType, io: 'input' | 'output', schemas: Json): void {
  const { id } = schema.meta() ?? {};
  if (id === undefined || Object.hasOwn(schemas, id)) return;
  const { $defs = {}, ...own } = toInline(schema, io);
  // A schema with an id may stand among its own definitions; the root is then but a reference to it.
  for (const [name, definition] of Object.entries($defs as Json)) {
    schemas[name] ??= cleaned(definition as Json);
  }
  schemas[id] ??= cleaned(own);
}

/** A schema under components: references lead there, and the id is the key. */
function cleaned(schema: Json): Json {
  const { id: _id, ...rest } = schema;
  return JSON.parse(
    JSON.stringify(rest).replaceAll('"$ref":"#/$defs/', `"$ref":"${SCHEMA_PREFIX}`),
  ) as Json;
}
