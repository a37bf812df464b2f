import { ERROR_TABLE } from '@portolan/core';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wholeBody } from './test-control/control-caller.ts';
import { createNativeApi, type NativeApi } from './test-rest/native-api.ts';

interface Documented {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: {
    readonly content: Record<string, { schema: object; examples?: object }>;
  };
  readonly responses: Readonly<Record<string, object>>;
}

let api: NativeApi;
let document: {
  paths: Record<string, Record<string, Documented>>;
  components: { schemas: Record<string, object> };
};
const METHODS = ['get', 'put', 'post', 'patch', 'delete'];

beforeAll(async () => {
  api = await createNativeApi();
  const reply = await api.call({ method: 'GET', target: '/openapi.json' });
  document = JSON.parse(await wholeBody(reply));
});
afterAll(() => api.close());

/** Every operation with the path as the document writes it. */
function operations(): { method: string; path: string; operation: Documented }[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

describe('the API document and the routes agree', () => {
  it('in methods and paths, both ways', () => {
    const routes = api.adapter.routes.map(
      ({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`,
    );
    const documented = operations().map(({ method, path }) => `${method} ${path}`);
    expect(documented.sort()).toEqual(routes.sort());
  });

  it('in path parameters', () => {
    for (const [path, item] of Object.entries(document.paths)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const parameters = (item.parameters ?? []) as unknown as { name: string }[];
      expect(parameters.map(({ name }) => name)).toEqual(named);
    }
  });

  it('in query parameters: what is documented is known, anything else is refused', async () => {
    for (const { method, path, operation } of operations()) {
      const target = path.replace(/\{\w+\}/g, 'x');
      const documented = (operation.parameters ?? []).filter((each) => each.in === 'query');
      for (const name of [...documented.map((each) => each.name), 'surprise']) {
        const reply = await api.call({ method, target: `${target}?${name}=&${name}=` });
        const body = await wholeBody(reply);
        const refused = body.includes('no such parameter');
        expect([`${method} ${path}?${name}`, refused]).toEqual([
          `${method} ${path}?${name}`,
          name === 'surprise',
        ]);
      }
    }
    expect(api.faults).toEqual([]);
  });

  it('in names: no operation id is given twice', () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

it('every schema compiles and every reference leads somewhere', () => {
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  ajv.addSchema(document, 'api', undefined, false);
  for (const name of Object.keys(document.components.schemas)) {
    expect(ajv.compile({ $ref: `api#/components/schemas/${name}` })).toBeTypeOf('function');
  }
  const references = JSON.stringify(document.paths).match(/"#\/components\/schemas\/[^"]+"/g) ?? [];
  for (const reference of new Set(references)) {
    expect(document.components.schemas).toHaveProperty(reference.slice(22, -1));
  }
});

it('every example of a request body is valid by its own schema', () => {
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  ajv.addSchema(document, 'api', undefined, false);
  let seen = 0;
  for (const { operation } of operations()) {
    for (const { schema, examples = {} } of Object.values(operation.requestBody?.content ?? {})) {
      const reference: unknown = Reflect.get(schema, '$ref');
      if (typeof reference !== 'string') continue;
      const validate = ajv.compile({ $ref: `api${reference}` });
      for (const { value } of Object.values(examples) as { value: unknown }[]) {
        expect([operation.operationId, validate(value), validate.errors]).toEqual([
          operation.operationId,
          true,
          null,
        ]);
        seen++;
      }
    }
  }
  expect(seen).toBeGreaterThan(10);
});

it('every error status that is documented names codes of the error table with that status', () => {
  for (const { operation } of operations()) {
    for (const [status, response] of Object.entries(operation.responses)) {
      if (Number(status) < 400) continue;
      const description = String(Reflect.get(response, 'description'));
      for (const [, code = ''] of description.matchAll(/\b([A-Z]+(?:_[A-Z0-9]+)+|INTERNAL):/g)) {
        expect(ERROR_TABLE[code as keyof typeof ERROR_TABLE].http).toBe(Number(status));
      }
    }
  }
});
