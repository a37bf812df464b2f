import { requireDocumentedAnswer } from '../openapi-answers.ts';

/** The runtime's `fetch`, with every answer that is not a stream checked against the server's own API document. */
export const documentedFetch: typeof fetch = async (input, init) => {
  const answer = await fetch(input, init);
  const url = new URL(input instanceof Request ? input.url : String(input));
  if (/event-stream|ndjson/.test(answer.headers.get('content-type') ?? '')) return answer;
  const body = await answer.clone().text();
  await requireDocumentedAnswer(url.origin, {
    method: init?.method ?? 'GET',
    target: url.pathname + url.search,
    ...(typeof init?.body === 'string' ? { requestBody: init.body } : {}),
    status: answer.status,
    headers: answer.headers,
    body,
  });
  return answer;
};
