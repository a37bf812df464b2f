import { z } from 'zod';

/** A body that may be sent but says nothing. */
export const emptySchema = z.strictObject({}).meta({ id: 'Empty' });
