import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { playGoldenFile } from '@portolan/testing';
import { expect, test } from 'vitest';
import { createAnswerCheck, type ObservedExchange } from '../openapi-answers.ts';
import { startPortolan } from '../support/portolan-process.ts';
import { call } from '../support/registry-api.ts';

const FOLDER = new URL('../../packages/adapters/src/protocols/rest/golden/', import.meta.url);
/** Registers checks of addresses beyond this machine, which a test must not dial; tells of containers that are not there (e2e/docker has real ones). */
const IN_PROCESS_ONLY = ['article-shapes.http', 'containers.http'];
const files = (await readdir(FOLDER)).filter(
  (name) => name.endsWith('.http') && !IN_PROCESS_ONLY.includes(name),
);

test.each(files)(
  'the built server answers as %s says, and as its API document says',
  async (file) => {
    const portolan = await startPortolan();
    try {
      await playGoldenFile(await readFile(new URL(file, FOLDER), 'utf8'), {
        async send({ method, target, headers, body }) {
          const sent = body === '' ? undefined : body;
          const answer = await call(portolan.control, method, target, sent, { ...headers });
          const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
          return { status: answer.status, headers: Object.fromEntries(answer.headers), body: text };
        },
        advance: (ms) => sleep(ms),
      });
      expect(portolan.stderr()).not.toMatch(/"level":"(error|fatal)"/);
    } finally {
      await portolan.dispose();
    }
  },
);

test('the check of answers finds what is not as the document says', async () => {
  const portolan = await startPortolan();
  const document = await fetch(`${portolan.control}/openapi.json`).then((reply) => reply.json());
  await portolan.dispose();
  const check = createAnswerCheck(document);
  const good: ObservedExchange = {
    method: 'GET',
    target: '/api/v1/services?namespace=*',
    status: 200,
    headers: new Headers({ 'content-type': 'application/json' }),
    body: '{"services":[],"revision":3}',
  };
  const html = new Headers({ 'content-type': 'text/html' });
  expect(check(good)).toEqual([]);
  const wrong: Partial<ObservedExchange>[] = [
    { body: '{"services":[]}' },
    { body: '{"services":[],"revision":3,"extra":1}' },
    { body: '{"services":[{"service":"a"}],"revision":3}' },
    { status: 418 },
    { headers: html },
    { target: '/api/v1/nothing' },
    { target: '/api/v1/services?surprise=1' },
    { method: 'DELETE' },
    { status: 404, headers: html },
    { target: '/api/v1/services/web/instances' },
  ];
  for (const change of wrong)
    expect([change, check({ ...good, ...change })]).not.toEqual([change, []]);
});
