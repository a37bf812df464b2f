import type { Random } from '@portolan/core';
import { aBody, aChunkedBody } from './bodies.ts';
import { FIELDS, FRAMING } from './message-parts.ts';
import { below, mutated, pick } from './mutate.ts';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE'];
const ODD_METHODS = ['BREW', 'get', 'CONNECT', 'PRI', 'M-SEARCH', 'SOURCE', 'QUERY', 'G_T', 'X'];
const TARGETS = ['/', '/a?b=c', '/a/b;c/%20', '/?', '/x'.repeat(20)];
const ODD_TARGETS = [
  '*',
  'http://b/x',
  'HTTP://b:8080?y',
  'https://[::1]:1/',
  'http://u@b/',
  'http://',
  '//x/y',
  '/a#b',
  '/a\\b',
  '/%2e%2e/',
  'a',
  'b:80',
  '/\xe9',
  '/\x7f',
  '/"<>^`{|}',
];
const VERSIONS = [
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
  'HTTP/0.9',
  'HTTP/1.10',
  'ICE/1.0',
];
const HOSTS = [
  'Host: a:80',
  'host: [::1]:1',
  'Host: u@a',
  'Host: a b',
  'Host:',
  'HOST:a',
  'Host: a,b',
];

/** One to three requests as they might follow each other on a connection; most streams are broken somewhere. */
export function aRequestStream(random: Random): string {
  let text = '';
  const requests = 1 + below(random, 3);
  for (let at = 0; at < requests; at++) {
    if (random() < 0.05) text += pick(random, ['\r\n', '\r\n', '\n', '\r', '\r\n\r\n', ' ']);
    text += aRequest(random);
  }
  return mutated(random, text);
}

function aRequest(random: Random): string {
  const odd = random() < 0.25;
  const method = odd && random() < 0.4 ? pick(random, ODD_METHODS) : pick(random, METHODS);
  const target = odd && random() < 0.4 ? pick(random, ODD_TARGETS) : pick(random, TARGETS);
  const version = odd && random() < 0.4 ? pick(random, VERSIONS) : 'HTTP/1.1';
  const host = odd && random() < 0.3 ? pick(random, HOSTS) : 'Host: a';
  const lines = [host];
  for (let count = below(random, 3); count > 0; count--) lines.push(pick(random, FIELDS));
  const coding = random();
  let body = '';
  if (coding < 0.3) {
    body = aBody(random);
    lines.splice(below(random, lines.length + 1), 0, `Content-Length: ${body.length}`);
  } else if (coding < 0.65) {
    body = aChunkedBody(random);
    lines.splice(below(random, lines.length + 1), 0, 'Transfer-Encoding: chunked');
  }
  if (random() < 0.1) lines.splice(below(random, lines.length + 1), 0, pick(random, FRAMING));
  return `${method} ${target} ${version}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}
