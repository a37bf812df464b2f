import { z } from 'zod';
import { eventAnswer, viewAnswer } from './answer-schemas.ts';
import { problemAnswer } from './problem-schemas.ts';
import { policyAnswer, routeAnswer } from './route-answer.ts';
import { EVENT_TYPES } from './webhook-schema.ts';

const revision = z.int().min(0);

const mirrorSync = z.strictObject({ revision, full: z.boolean() }).meta({
  id: 'MirrorSync',
  description: 'What follows until `ready` is all there is, or else what changed.',
});
const mirrorReady = z
  .strictObject({ revision })
  .meta({ id: 'MirrorReady', description: 'The state of this revision is complete.' });
const mirrorRoutes = z
  .strictObject({ routes: z.array(routeAnswer) })
  .meta({ id: 'MirrorRoutes', description: 'All routes.' });

const mirrorPolicies = z
  .strictObject({ policies: z.array(policyAnswer) })
  .meta({ id: 'MirrorPolicies', description: 'All traffic policies.' });

/** The data of each event of `/watch`, by its name. */
export const mirrorEvents = {
  sync: mirrorSync,
  view: viewAnswer,
  routes: mirrorRoutes,
  policies: mirrorPolicies,
  ready: mirrorReady,
};

/** The data of each event of a service's stream, by its name. */
export const serviceEvents = { view: viewAnswer };

/** The data of each event of `/events`, by its name. */
export const changeEvents = {
  ...Object.fromEntries(EVENT_TYPES.map((type) => [type, eventAnswer])),
  compacted: problemAnswer,
};
