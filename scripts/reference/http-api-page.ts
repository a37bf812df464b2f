import { code, page, table } from './markdown.ts';
import type {
  HttpMethod,
  OpenApiContent,
  OpenApiOperation,
  OpenApiParameter,
  RunningParts,
} from './running-parts.ts';

const METHODS: readonly HttpMethod[] = ['get', 'put', 'post', 'patch', 'delete'];

interface Call {
  readonly method: HttpMethod;
  readonly path: string;
  readonly operation: OpenApiOperation;
  readonly shared: readonly OpenApiParameter[];
}

/** Every call of the native API: what it takes and what it answers. */
export function httpApiPage({ openApi }: RunningParts): string {
  const calls = Object.entries(openApi.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method): Call[] => {
      const operation = item[method];
      return operation ? [{ method, path, operation, shared: item.parameters ?? [] }] : [];
    }),
  );
  const byTag = Map.groupBy(calls, ({ operation }) => operation.tags[0] ?? 'Server');
  return page('HTTP API', [
    'The native API on the control port, from the same schemas that validate it. The running server gives the whole document, with the schemas named here, at `GET /openapi.json`. Errors are problems (RFC 9457); [errors](errors.md) says what to do about each code. Besides, the control port answers `GET /livez` (the process runs), `GET /readyz` (it serves; if not, why), `GET /metrics` ([metrics](metrics.md)) and `GET /` (addresses and version).',
    ...[...byTag].flatMap(([tag, tagged]) => [`## ${tag}`, ...tagged.map(callText)]),
  ]);
}

function callText({ method, path, operation, shared }: Call): string {
  const parameters = [...shared, ...(operation.parameters ?? [])];
  const answers = Object.entries(operation.responses);
  const good = answers.filter(([status]) => Number(status) < 400);
  const faults = answers.filter(([status]) => Number(status) >= 400);
  const body = operation.requestBody;
  return [
    `### ${code(`${method.toUpperCase()} ${path}`)}`,
    `${operation.summary}.`,
    ...(body ? [`Body${body.required ? '' : ' (optional)'}: ${contentText(body.content)}.`] : []),
    ...(parameters.length > 0 ? [table(['parameter', 'in', 'meaning'], parameters.map(row))] : []),
    good
      .map(([status, answer]) => {
        const content = answer.content ? ` ${contentText(answer.content)}.` : '';
        return `- ${status}: ${answer.description}${content}`;
      })
      .join('\n'),
    ...good.flatMap(([, answer]) => eventTexts(answer.content)),
    ...(faults.length > 0 ? [`Errors: ${faults.map(faultText).join('; ')}.`] : []),
  ].join('\n\n');
}

function row({ name, in: place, description, required }: OpenApiParameter): string[] {
  return [code(name), place, description ?? (required ? 'Required.' : '')];
}

function contentText(content: OpenApiContent): string {
  return Object.entries(content)
    .map(([mediaType, { schema }]) => {
      const name = schema?.$ref?.split('/').at(-1);
      return name === undefined ? code(mediaType) : `${code(name)} as ${code(mediaType)}`;
    })
    .join(' or ');
}

/** The events of a stream; those whose data is alike together. */
function eventTexts(content: OpenApiContent = {}): string[] {
  return Object.values(content).flatMap(({ 'x-event-data': events }) => {
    if (!events) return [];
    const bySchema = Map.groupBy(Object.entries(events), ([, { $ref = '' }]) => $ref);
    const texts = [...bySchema].map(
      ([ref, entries]) =>
        `${entries.map(([name]) => code(name)).join(' ')} with ${code(ref.split('/').at(-1) ?? '')}`,
    );
    return [`Events: ${texts.join('; ')}.`];
  });
}

/** The codes of an answer; their meaning stands on the page of errors. */
function faultText([status, { description }]: readonly [string, { readonly description: string }]) {
  const codes = [...description.matchAll(/\b([A-Z][A-Z0-9_]+):/g)].map(([, name = '']) =>
    code(name),
  );
  return `${status} ${codes.length > 0 ? codes.join(' ') : description}`;
}
