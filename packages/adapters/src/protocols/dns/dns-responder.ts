import type { CatalogueReader, Logger, Random } from '@portolan/core';
import { answerQuestion } from './answer-question.ts';
import { bareAnswer, type DnsAnswer } from './dns-answer.ts';
import type { DnsMetrics, DnsTransport } from './dns-metrics.ts';
import type { DnsOptions } from './dns-options.ts';
import { createFoldedServices } from './folded-services.ts';
import { type QueryHead, type QueryMessage, readQuery } from './query-message.ts';
import { writeReply, writeTruncated } from './reply-message.ts';
import type { Verdict } from './response-limiter.ts';

/** Without EDNS (RFC 1035 §2.3.4). */
const PLAIN_UDP_BYTES = 512;
const MAX_TCP_BYTES = 65_535;

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
  const { udpPayloadBytes } = options;
  function answer(query: QueryMessage): DnsAnswer {
    if ('fault' in query) return bareAnswer(query.fault);
    try {
      return answerQuestion(query.question, { options, catalogue, services, random });
    } catch (error) {
      logger.error(
        { err: error, question: query.question },
        'a DNS question could not be answered',
      );
      return bareAnswer('SERVFAIL');
    }
  }

  function reply(query: QueryMessage, transport: DnsTransport, limitBytes: number): Buffer {
    const said = answer(query);
    metrics.replied(transport, said.rcode);
    return writeReply(query.head, said, { limitBytes, udpPayloadBytes });
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
