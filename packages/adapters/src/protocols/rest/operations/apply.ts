import {
  DEFAULT_GROUP,
  DEFAULT_NAMESPACE,
  type DocumentWrite,
  type Problem,
  serviceId,
} from '@portolan/core';
import { requireValid, validationError } from '../body/body-codec.ts';
import { jsonReply } from '../json-reply.ts';
import { type Operation, type RestContext, readJson } from '../operation.ts';
import { type ParsedDocument, parsePolicyDocument, parseRouteDocument } from '../parse-document.ts';
import { booleanParameter } from '../query.ts';
import { applyAnswer, applyCodec, applySchema, MAX_APPLIED } from '../schemas/apply-schema.ts';

const BODY_LIMIT_BYTES = 4 * 1_024 * 1_024;

/** A write, what it is called, and where it stands in the body. */
interface Named {
  readonly write: DocumentWrite;
  readonly name: string;
  readonly namespace: string;
  readonly group?: string;
  readonly path: string;
}

/** Routes and traffic policies written together. */
export function applyOperations({ registry }: RestContext): Operation[] {
  return [
    {
      id: 'apply',
      tag: 'Routes',
      summary: 'Write and delete routes and traffic policies in one commit, or none of them',
      method: 'POST',
      path: '/apply',
      query: {
        dryRun: {
          description: 'Only check, and tell what would become of each document.',
          schema: { type: 'boolean' },
        },
      },
      body: { schema: applySchema, required: true, limitBytes: BODY_LIMIT_BYTES },
      answers: {
        200: {
          description: 'What became of each document, policies first, at one revision.',
          schema: applyAnswer,
        },
      },
      errors: ['VALIDATION_FAILED', 'CONFLICT', 'STORE_FULL'],
      async handle(call) {
        const dryRun = booleanParameter(call.request.query, 'dryRun') ?? false;
        const named = readApplication(readJson(call, BODY_LIMIT_BYTES));
        const outcomes = await registry.writeDocuments(
          named.map(({ write }) => write),
          { dryRun },
        );
        const applied = named.map(({ write: { kind }, path: _, ...rest }, at) => ({
          kind,
          ...rest,
          outcome: outcomes[at],
        }));
        return jsonReply({ applied, dryRun, revision: registry.revision });
      },
    },
  ];
}

/** Everything that is wrong with any of the documents is told at once. */
function readApplication(json: unknown): readonly Named[] {
  const body = requireValid(applyCodec, json);
  const problems: Problem[] = [];
  const named: Named[] = [];

  function read<T>(parsed: ParsedDocument<T>, toNamed: (value: T) => Named): void {
    if (parsed.ok) named.push(toNamed(parsed.value));
    else problems.push(...parsed.problems);
  }

  for (const [at, fields] of (body.policies ?? []).entries()) {
    const path = `$.policies[${at}]`;
    read(parsePolicyDocument(fields, path), (document) => {
      const { service: name, namespace, group } = document;
      return { write: { kind: 'policy', document }, name, namespace, group, path };
    });
  }
  for (const [at, fields] of (body.routes ?? []).entries()) {
    const path = `$.routes[${at}]`;
    read(parseRouteDocument(fields, path), (document) => {
      const { name, namespace } = document;
      return { write: { kind: 'route', document }, name, namespace, path };
    });
  }
  for (const [at, one] of (body.delete?.policies ?? []).entries()) {
    const { service: name, namespace = DEFAULT_NAMESPACE, group = DEFAULT_GROUP, revision } = one;
    const deleted = serviceId({ name, namespace, group });
    const write = { kind: 'policy', deleted, ifRevision: revision } as const;
    named.push({ write, name, namespace, group, path: `$.delete.policies[${at}]` });
  }
  for (const [at, one] of (body.delete?.routes ?? []).entries()) {
    const { name, namespace = DEFAULT_NAMESPACE, revision } = one;
    const write = { kind: 'route', deleted: `${namespace}/${name}`, ifRevision: revision } as const;
    named.push({ write, name, namespace, path: `$.delete.routes[${at}]` });
  }
  problems.push(...twice(named));
  if (named.length > MAX_APPLIED || (named.length === 0 && problems.length === 0)) {
    const expected = `1 to ${MAX_APPLIED} documents`;
    problems.push({ path: '$', expected, found: String(named.length) });
  }
  if (problems.length > 0) throw validationError(problems);
  return named;
}

function twice(named: readonly Named[]): Problem[] {
  const first = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { write, namespace, group, name, path } of named) {
    const key = JSON.stringify([write.kind, namespace, group, name]);
    const before = first.get(key);
    if (before === undefined) first.set(key, path);
    else problems.push({ path, expected: `another document than ${before}` });
  }
  return problems;
}
