/** A breach that is right where it is. One that no longer happens has to go: the layer test says so. */
export interface LayerException {
  readonly rule: string;
  readonly path: string;
  readonly reason: string;
}

const TIME = 'time and randomness come from Clock and Random';

export const LAYER_EXCEPTIONS: readonly LayerException[] = [
  {
    rule: TIME,
    path: 'packages/client/src/time/system-clock.ts',
    reason: 'The one home of the real clock.',
  },
  {
    rule: TIME,
    path: 'packages/client/src/client.ts',
    reason: 'The real default for an application that passes no Random.',
  },
  {
    rule: TIME,
    path: 'packages/client/src/mirror/remote-catalogue.ts',
    reason: 'The real default for an application that passes no Random.',
  },
  {
    rule: TIME,
    path: 'packages/server/src/cli/context.ts',
    reason: "The command line's entry: real randomness enters here and is handed down.",
  },
  {
    rule: TIME,
    path: 'packages/server/src/workers/worker-main.ts',
    reason: "A worker process's entry: real randomness enters here and is handed down.",
  },
  {
    rule: TIME,
    path: 'packages/http/src/client/connection-pool.ts',
    reason:
      'Lets the event loop poll every socket once more before a resting connection is used: a turn, not a time.',
  },
  {
    rule: TIME,
    path: 'packages/registry/src/time/next-turn.ts',
    reason:
      'Lets the writes of one turn share a commit, and others do theirs during long work: a turn, not a time.',
  },
  {
    rule: TIME,
    path: 'packages/adapters/src/protocols/rest/streams/loop-turns.ts',
    reason: 'Gives other work its turn between the pieces of long answers: a turn, not a time.',
  },
  {
    rule: TIME,
    path: 'packages/testing/src/contracts/probe-contract.ts',
    reason:
      'A test suite on real sockets: the limits keep a probe that never settles from hanging the run.',
  },
];
