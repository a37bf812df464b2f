import type { Compression, CompressionCoding } from '@portolan/core';
import type { Filter } from './filter.ts';
import { ZlibTransform } from './zlib-transform.ts';

const UNTOUCHED_STATUSES = new Set([204, 205, 206, 304]);

/** Compresses answers whose client takes it, where type and size are worth it. */
export function createCompressionFilter(compression: Compression): Filter {
  const { codings, minBytes } = compression;
  const exact = new Set(compression.types.filter((type) => !type.endsWith('/*')));
  const families = compression.types
    .filter((type) => type.endsWith('/*'))
    .map((type) => type.slice(0, -1));

  function isWorthIt(contentType: string | undefined): boolean {
    const type = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
    return exact.has(type) || families.some((family) => type.startsWith(family));
  }

  return {
    name: 'compression',
    onResponse(request, response) {
      const { head } = response;
      if (!head || !response.hasBody || UNTOUCHED_STATUSES.has(response.status)) return;
      if (response.get('content-encoding') !== undefined) return;
      if (!isWorthIt(response.get('content-type'))) return;
      // RFC 9111 §5.2.2.6.
      if (/(?:^|[,\s])no-transform(?:$|[,\s])/i.test(response.get('cache-control') ?? '')) return;
      if (head.framing.kind === 'length' && head.framing.length < minBytes) return;
      // Also where this client gets it plain: caches have to know.
      response.addHeader('Vary', 'Accept-Encoding');
      const coding = chooseCoding(request.head.joined('accept-encoding'), codings);
      if (coding === undefined) return;
      response.setHeader('Content-Encoding', coding);
      response.removeHeader('Accept-Ranges');
      response.removeHeader('Content-MD5');
      const etag = response.get('etag');
      // RFC 9110 §8.8.3: other bytes, so no longer strongly the same.
      if (etag !== undefined && !etag.startsWith('W/')) response.setHeader('ETag', `W/${etag}`);
      const streams = head.framing.kind !== 'length';
      response.transformBody(new ZlibTransform(coding, { flushesEachPiece: streams }));
    },
  };
}

/** The client's best coding that the route offers; the route's order decides between equals (RFC 9110 §12.5.3). */
export function chooseCoding(
  accept: string | undefined,
  offered: readonly CompressionCoding[],
): CompressionCoding | undefined {
  if (accept === undefined) return undefined;
  const qualities = new Map<string, number>();
  for (const part of accept.split(',')) {
    const [name = '', ...parameters] = part.split(';');
    const quality = parameters.map((text) => /^\s*q=(\d(?:\.\d{0,3})?)\s*$/i.exec(text)?.[1]);
    const told = quality.find((value) => value !== undefined);
    qualities.set(name.trim().toLowerCase(), told === undefined ? 1 : Math.min(1, Number(told)));
  }
  let best: CompressionCoding | undefined;
  let bestQuality = 0;
  for (const coding of offered) {
    const quality = qualities.get(coding) ?? qualities.get('*') ?? 0;
    if (quality > bestQuality) {
      best = coding;
      bestQuality = quality;
    }
  }
  return best;
}
