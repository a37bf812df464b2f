import { parseRequestHead } from '@portolan/http';
import { describe, expect, it } from 'vitest';
import type { Filter, FilteredRequest } from '../filters/filter.ts';
import { EditableFields } from './editable-fields.ts';
import { FilterRun } from './filter-run.ts';

const HEAD = Buffer.from('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n');

function run(filters: readonly Filter[]) {
  const head = parseRequestHead(HEAD, 0, HEAD.length, {
    headBytes: 1_024,
    targetBytes: 256,
    maxFields: 10,
  });
  if (!head) throw new Error('no head');
  const told: string[] = [];
  const run = new FilterRun(
    filters,
    {
      requestId: 'id',
      head,
      path: '/a',
      query: '',
      clientIp: '192.0.2.1',
      secure: false,
      hasBody: true,
    },
    {
      onPassed: () => told.push('passed'),
      onFilterAnswer: (status, lines) => told.push(`answer ${status} ${lines}`),
      onFilterRefusal: (code) => told.push(`refuse ${code}`),
      onFilterCut: () => told.push('cut'),
    },
  );
  run.start();
  return { run, told };
}

/** Says who saw what, in `seen`. */
function naming(
  name: string,
  seen: string[],
  verdict: (request: FilteredRequest) => 'continue' | 'wait' | 'answered' = () => 'continue',
): Filter {
  return {
    name,
    onRequest(request) {
      seen.push(`> ${name}`);
      return verdict(request);
    },
    onResponse: (_request, response) => {
      seen.push(`< ${name} ${response.status}`);
      response.addHeader('X-Seen-By', name);
    },
  };
}

describe('a run of filters', () => {
  it('takes the request through all, and the answer back in reverse', () => {
    const seen: string[] = [];
    const { run: filters, told } = run([naming('a', seen), naming('b', seen)]);
    expect(told).toEqual(['passed']);
    const fields = new EditableFields('Server: x\r\n');
    filters.respond(200, undefined, false, fields);
    expect(seen).toEqual(['> a', '> b', '< b 200', '< a 200']);
    expect(fields.lines).toBe('Server: x\r\nX-Seen-By: b\r\nX-Seen-By: a\r\n');
  });

  it('ends where one answers, and shows the answer to those that saw the request', () => {
    const seen: string[] = [];
    const answering = naming('b', seen, (request) => {
      request.answer(429, ['Retry-After', '1']);
      return 'answered';
    });
    const { run: filters, told } = run([naming('a', seen), answering, naming('c', seen)]);
    expect(told).toEqual(['answer 429 Retry-After: 1\r\n']);
    filters.respond(429, undefined, false, new EditableFields(''));
    expect(seen).toEqual(['> a', '> b', '< b 429', '< a 429']);
  });

  it('waits where one waits, and goes on once, even when told before it waited', () => {
    const seen: string[] = [];
    let waiting: FilteredRequest | undefined;
    const slow = naming('slow', seen, (request) => {
      waiting = request;
      return 'wait';
    });
    const quick = naming('quick', seen, (request) => {
      request.proceed();
      return 'wait';
    });
    const { told } = run([quick, slow, naming('last', seen)]);
    expect([told, seen]).toEqual([[], ['> quick', '> slow']]);
    waiting?.proceed();
    expect([told, seen]).toEqual([['passed'], ['> quick', '> slow', '> last']]);
  });

  it('says nothing more once it is over, and tells those who asked', () => {
    let waiting: FilteredRequest | undefined;
    const over: string[] = [];
    const { run: filters, told } = run([
      naming('a', [], (request) => {
        waiting = request;
        request.onOver(() => over.push('a'));
        return 'wait';
      }),
    ]);
    filters.end();
    waiting?.proceed();
    waiting?.refuse('INTERNAL');
    expect([told, over]).toEqual([[], ['a']]);
  });

  it('shows the body to its watchers, who may refuse it', () => {
    let bytes = 0;
    const { run: filters, told } = run([
      naming('limit', [], (request) => {
        request.watchBody((piece) => {
          bytes += piece.length;
          if (bytes > 3) request.refuse('INTERNAL');
        });
        return 'continue';
      }),
    ]);
    expect(filters.showBody(Buffer.from('abc'))).toBe(true);
    expect(filters.showBody(Buffer.from('d'))).toBe(false);
    expect(told).toEqual(['passed', 'refuse INTERNAL']);
  });

  it('gathers edits of the head, made in the order they were asked for', () => {
    const { run: filters } = run([
      naming('a', [], (request) => {
        request.removeHeader('X-User');
        request.setHeader('X-User', 'alice');
        return 'continue';
      }),
    ]);
    const fields = new EditableFields('X-User: mallory\r\n');
    filters.requestEdit?.(fields);
    expect(fields.lines).toBe('X-User: alice\r\n');
  });
});
