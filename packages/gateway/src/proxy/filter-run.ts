import type { RequestHead, ResponseHead } from '@portolan/http';
import { fieldLines } from '@portolan/http';
import type {
  BodyTransform,
  Filter,
  FilteredRequest,
  FilteredResponse,
} from '../filters/filter.ts';
import type { EditableFields } from './editable-fields.ts';
import type { GatewayErrorCode } from './gateway-errors.ts';
import type { HeaderEdit } from './header-edits.ts';

/** What a run of filters asks of its exchange. */
export interface FilterRunOwner {
  /** All filters let the request pass. */
  onPassed(): void;
  onFilterAnswer(status: number, lines: string, body: Buffer | undefined): void;
  onFilterRefusal(code: GatewayErrorCode, lines: string): void;
  onFilterCut(): void;
}

/** What filters are told of a request. */
export type FilteredFacts = Pick<
  FilteredRequest,
  'requestId' | 'head' | 'path' | 'query' | 'clientIp' | 'secure' | 'hasBody'
>;

/** One request on its way through its route's filters, and its answer on the way back. */
export class FilterRun implements FilteredRequest {
  readonly requestId: string;
  readonly head: RequestHead;
  readonly path: string;
  readonly query: string;
  readonly clientIp: string;
  readonly secure: boolean;
  readonly hasBody: boolean;
  readonly #filters: readonly Filter[];
  readonly #owner: FilterRunOwner;
  readonly #edits: HeaderEdit[] = [];
  readonly #watchers: ((piece: Buffer) => void)[] = [];
  readonly #overs: (() => void)[] = [];
  /** How many filters saw the request: those that see the answer. */
  #seen = 0;
  #running = false;
  #proceeding = false;
  #decided = false;

  constructor(filters: readonly Filter[], facts: FilteredFacts, owner: FilterRunOwner) {
    this.#filters = filters;
    this.#owner = owner;
    this.requestId = facts.requestId;
    this.head = facts.head;
    this.path = facts.path;
    this.query = facts.query;
    this.clientIp = facts.clientIp;
    this.secure = facts.secure;
    this.hasBody = facts.hasBody;
  }

  /** Runs the filters; goes on by itself where one waits. */
  start(): void {
    this.#run();
  }

  /** What the filters change in the head that is forwarded. */
  get requestEdit(): HeaderEdit | undefined {
    const edits = this.#edits;
    if (edits.length === 0) return undefined;
    return (fields) => {
      for (const edit of edits) edit(fields);
    };
  }

  setHeader(name: string, value: string): void {
    this.#edits.push((fields) => fields.set(name, value));
  }

  addHeader(name: string, value: string): void {
    this.#edits.push((fields) => fields.add(name, value));
  }

  removeHeader(name: string): void {
    this.#edits.push((fields) => fields.remove(name));
  }

  answer(status: number, headers: readonly string[], body?: Buffer): void {
    if (this.#decide()) this.#owner.onFilterAnswer(status, fieldLines(headers), body);
  }

  refuse(code: GatewayErrorCode, headers: readonly string[] = []): void {
    if (this.#decide()) this.#owner.onFilterRefusal(code, fieldLines(headers));
  }

  cut(): void {
    if (this.#decide()) this.#owner.onFilterCut();
  }

  watchBody(watcher: (piece: Buffer) => void): void {
    this.#watchers.push(watcher);
  }

  proceed(): void {
    if (this.#decided) return;
    if (this.#running) this.#proceeding = true;
    else this.#run();
  }

  onOver(callback: () => void): void {
    this.#overs.push(callback);
  }

  /** Shows a piece of the body to whoever watches it; false when one refused, and nothing is to be sent on. */
  showBody(piece: Buffer): boolean {
    const watchers = this.#watchers;
    for (let at = 0; at < watchers.length && !this.#decided; at++) watchers[at]?.(piece);
    return !this.#decided;
  }

  /** Sends an answer's head back through the filters that saw the request; the transform is what its body goes through. */
  respond(
    status: number,
    head: ResponseHead | undefined,
    hasBody: boolean,
    fields: EditableFields,
  ): BodyTransform | undefined {
    const response = new ResponseRun(status, head, hasBody, fields);
    for (let at = this.#seen - 1; at >= 0; at--) this.#filters[at]?.onResponse?.(this, response);
    return response.transform;
  }

  /** The exchange is over. */
  end(): void {
    this.#decided = true;
    for (const over of this.#overs.splice(0)) over();
  }

  #run(): void {
    this.#running = true;
    while (!this.#decided && this.#seen < this.#filters.length) {
      const filter = this.#filters[this.#seen++] as Filter;
      this.#proceeding = false;
      const verdict = filter.onRequest?.(this) ?? 'continue';
      // Whoever waits may have been answered for while it was asked.
      if (verdict === 'wait' && !this.#proceeding) {
        this.#running = false;
        return;
      }
    }
    this.#running = false;
    if (!this.#decided) this.#owner.onPassed();
  }

  /** Whether this is the first decision; a body watcher may refuse what all filters let pass. */
  #decide(): boolean {
    if (this.#decided) return false;
    this.#decided = true;
    return true;
  }
}

class ResponseRun implements FilteredResponse {
  readonly status: number;
  readonly head: ResponseHead | undefined;
  readonly hasBody: boolean;
  transform: BodyTransform | undefined;
  readonly #fields: EditableFields;

  constructor(
    status: number,
    head: ResponseHead | undefined,
    hasBody: boolean,
    fields: EditableFields,
  ) {
    this.status = status;
    this.head = head;
    this.hasBody = hasBody;
    this.#fields = fields;
  }

  get(lowerName: string): string | undefined {
    return this.#fields.get(lowerName);
  }

  setHeader(name: string, value: string): void {
    this.#fields.set(name, value);
  }

  addHeader(name: string, value: string): void {
    this.#fields.add(name, value);
  }

  removeHeader(name: string): void {
    this.#fields.remove(name);
  }

  transformBody(transform: BodyTransform): void {
    this.transform = transform;
  }
}
