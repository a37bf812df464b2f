import type { CatalogueReader, Logger, Random } from '@portolan/core';
import { answerQuestion, seconds } from './answer-question.ts';
import { bareAnswer, type DnsAnswer } from './dns-answer.ts';
import type { DnsMetrics, DnsTransport } from './dns-metrics.ts';
import type { DnsOptions } from './dns-options.ts';
import { createFoldedServices } from './folded-services.ts';
import { type QueryHead, type QueryMessage, readQuery } from './query-message.ts';
import { writeReply, writeTruncated } from './reply-message.ts';
import type { Verdict } from './response-limiter.ts';
import { createServicePools } from './service-pools.ts';

/** Without EDNS (RFC 1035 §2.3.4). */
const PLAIN_UDP_BYTES = 512;
const MAX_TCP_BYTES = 65_535;
/** An address behind a pointer. */
const MIN_RECORD_BYTES = 16;
/** Of a service with more instances these are drawn, by weight: enough to choose from, and no work for thousands. */
const MAX_RECORDS = 1_000;

/** From message to answer: no socket, no waiting. Never throws. */
export interface DnsResponder {
  /** Undefined for what is not answered. `judge` is asked only about what would be. */
  overUdp(message: Buffer, judge: () => Verdict): Buffer | undefined;
  overTcp(message: Buffer): Buffer | undefined;
  /** Follows the catalogue no longer. */
  close(): void;
}

export interface DnsResponderDeps {
  readonly catalogue: CatalogueReader;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: DnsMetrics;
}

export function createDnsResponder(options: DnsOptions, deps: DnsResponderDeps): DnsResponder {
  const { catalogue, random, logger, metrics } = deps;
  const services = createFoldedServices(catalogue);
  const pools = createServicePools(seconds(options.ttlMs));
  const { udpPayloadBytes } = options;
  function answer(query: QueryMessage, maxRecords: number): DnsAnswer {
    if ('fault' in query) return bareAnswer(query.fault);
    try {
      return answerQuestion(query.question, {
        options,
        catalogue,
        services,
        pools,
        random,
        maxRecords,
      });
    } catch (error) {
      logger.error(
        { err: error, question: query.question },
        'a DNS question could not be answered',
      );
      return bareAnswer('SERVFAIL');
    }
  }

  function reply(query: QueryMessage, transport: DnsTransport, limitBytes: number): Buffer {
    const said = answer(query, Math.min(MAX_RECORDS, Math.ceil(limitBytes / MIN_RECORD_BYTES)));
    metrics.replied(transport, said.rcode);
    const isDatagram = transport === 'udp';
    return writeReply(query.head, said, { limitBytes, isDatagram, udpPayloadBytes });
  }

  return {
    overUdp(message, judge) {
      const query = readQuery(message);
      if (!query) return malformed();
      const verdict = judge();
      if (verdict !== 'send') metrics.unanswered('rate');
      if (verdict === 'drop') return undefined;
      if (verdict === 'truncate') return writeTruncated(query.head);
      return reply(query, 'udp', udpRoom(query.head, udpPayloadBytes));
    },
    overTcp(message) {
      const query = readQuery(message);
      return query ? reply(query, 'tcp', MAX_TCP_BYTES) : malformed();
    },
    close: services.close,
  };

  function malformed(): undefined {
    metrics.unanswered('malformed');
    return undefined;
  }
}

/** RFC 6891 §6.2.3 to §6.2.5: less than 512 counts as 512; more than our own size is never sent. */
function udpRoom({ edns }: QueryHead, ownBytes: number): number {
  if (!edns) return PLAIN_UDP_BYTES;
  return Math.max(PLAIN_UDP_BYTES, Math.min(edns.udpPayloadBytes, ownBytes));
}
