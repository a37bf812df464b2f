import { expect, it } from 'vitest';
import { type GoldenAnswer, playGoldenFile } from './golden-runner.ts';

const json = (status: number, body: unknown): GoldenAnswer => ({
  status,
  headers: { 'content-type': 'application/json', etag: '"7"' },
  body: JSON.stringify(body),
});

it('sends requests in order and carries captured values into later ones', async () => {
  const sent: string[] = [];
  const turned: number[] = [];
  await playGoldenFile(
    `# first
POST /a
x-token: one

{"n":1}

---
201
etag: {{string as tag}}

{"revision": "{{integer as revision}}", "...": ""}
===
ADVANCE 500
===
GET /a?from={{revision}}
if-none-match: {{tag}}
---
200

{"is": "{{revision}}", "text": "at {{revision}}"}
`,
    {
      async send({ method, target, headers, body }) {
        sent.push(`${method} ${target} ${JSON.stringify(headers)} ${body}`);
        return method === 'POST'
          ? json(201, { revision: 4, other: true })
          : json(200, { is: 4, text: 'at 4' });
      },
      async advance(ms) {
        turned.push(ms);
      },
    },
  );
  expect(sent).toEqual([
    'POST /a {"x-token":"one"} {"n":1}',
    'GET /a?from=4 {"if-none-match":"\\"7\\""} ',
  ]);
  expect(turned).toEqual([500]);
});

it.each([
  ['another status', json(404, { a: [1] }), 'status: expected 200, found 404'],
  ['a missing member', json(200, {}), '$.a: expected [1], found nothing'],
  ['a surplus member', json(200, { a: [1], b: 2 }), '$.b: not expected, found 2'],
  ['another value', json(200, { a: [2] }), '$.a[0]: expected 1, found 2'],
  ['another header', { ...json(200, { a: [1] }), headers: {} }, 'etag: expected "\\"7\\""'],
])('fails on %s', async (_what, answer, message) => {
  const played = playGoldenFile('GET /a\n---\n200\netag: "7"\n\n{"a": [1]}\n', {
    send: async () => answer,
  });
  await expect(played).rejects.toThrow(message);
});

it('names the line of a file that cannot be read', async () => {
  const target = { send: async () => json(200, {}) };
  await expect(playGoldenFile('\nGET /a\n', target)).rejects.toThrow('line 2: no "---"');
  await expect(playGoldenFile('GET /a\n---\nok\n', target)).rejects.toThrow(
    'line 3: expected a status',
  );
  await expect(playGoldenFile('get /a\n---\n200\n', target)).rejects.toThrow(
    'line 1: expected "METHOD',
  );
});
