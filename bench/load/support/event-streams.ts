import { get } from 'node:http';

/** A stream of server-sent events that is read as fast as it comes. */
export interface EventStream {
  close(): void;
}

/** Opens the stream; `onEvent` is given each event's type and its data. */
export function openEventStream(
  url: string,
  onEvent: (type: string, data: string) => void,
): Promise<EventStream> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, headers: { accept: 'text/event-stream' } });
    request.on('error', reject);
    request.on('response', (answer) => {
      if (answer.statusCode !== 200) {
        reject(new Error(`${url} is answered with ${answer.statusCode}`));
        answer.resume();
        return;
      }
      let tail = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        const blocks = (tail + text).split('\n\n');
        tail = blocks.pop() ?? '';
        for (const block of blocks) {
          const type = /^event: ?(.+)$/m.exec(block)?.[1];
          if (type !== undefined) onEvent(type, /^data: ?(.*)$/m.exec(block)?.[1] ?? '');
        }
      });
      // Ends with the server, or when it is closed here.
      answer.on('error', () => undefined);
      resolve({ close: () => request.destroy() });
    });
  });
}
