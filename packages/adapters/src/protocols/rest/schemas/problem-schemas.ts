import { ERROR_TABLE, type ErrorCode } from '@portolan/core';
import { z } from 'zod';

const fields = {
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string(),
  instance: z.string(),
  retryable: z.boolean(),
  errors: z.array(
    z.strictObject({ path: z.string(), expected: z.string(), found: z.string().optional() }),
  ),
};

export const problemAnswer = z
  .strictObject({
    type: z.string(),
    ...fields,
    code: z.enum(Object.keys(ERROR_TABLE) as [ErrorCode, ...ErrorCode[]]),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document.' });

/** What the control port itself answers to a message that breaks HTTP; its codes are the HTTP engine's. */
export const protocolProblemAnswer = z
  .strictObject({
    type: z.string().regex(/^urn:portolan:protocol-error:[A-Z_0-9]+$/),
    ...fields,
    code: z.string(),
  })
  .meta({ id: 'ProtocolProblem', description: 'RFC 9457 problem document.' });
