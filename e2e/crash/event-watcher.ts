/** Follows `/events` until the connection breaks, noting what it was told. */
export interface EventWatcher {
  /** Greatest revision told. */
  readonly revision: number;
  /** `id#op` of every registration and route told. */
  readonly marks: ReadonlySet<string>;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;
}

interface WireEvent {
  readonly type: string;
  readonly revision: number;
  readonly instance?: {
    readonly id: string;
    readonly metadata: { readonly op?: string };
    readonly intent: { readonly weight: number | null };
  };
  readonly route?: { readonly name: string; readonly timeoutMs: number | null };
}

export async function watchEvents(origin: string): Promise<EventWatcher> {
  const answer = await fetch(`${origin}/api/v1/events`, {
    headers: { accept: 'text/event-stream' },
  });
  const marks = new Set<string>();
  let revision = 0;

  async function read(): Promise<void> {
    let text = '';
    try {
      for await (const part of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        text += part;
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) {
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (data !== undefined) note(JSON.parse(data));
        }
      }
    } catch {
      // The kill.
    }
  }
  function note(event: WireEvent): void {
    revision = Math.max(revision, event.revision);
    const { instance, route } = event;
    if (instance && event.type === 'instance-intent') {
      marks.add(`${instance.id}#weight-${instance.intent.weight}`);
    } else if (instance && event.type !== 'instance-deregistered') {
      marks.add(`${instance.id}#${instance.metadata.op}`);
    }
    if (route) marks.add(`${route.name}#${route.timeoutMs}`);
  }
  const ended = read();
  return {
    get revision() {
      return revision;
    },
    marks,
    ended,
  };
}
