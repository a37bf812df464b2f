import type { ExplanationDocument } from '@portolan/client';
import { toPrintable } from './printable.ts';

type Destination = ExplanationDocument['destinations'][number];

/** An explanation for people, in the order in which things happen to a request. */
export function explanationText(told: ExplanationDocument): string {
  const lines = [
    ...requestLines(told),
    ...passedOverLines(told),
    ...routeLines(told),
    ...told.destinations.flatMap(destinationLines),
    outcomeLine(told),
  ];
  return lines.map((line) => `${toPrintable(line)}\n`).join('');
}

function requestLines({ request }: ExplanationDocument): string[] {
  if (!request) return [];
  const { method, scheme, host, path, query, clientIp } = request;
  return [`${method} ${scheme}://${host}${path}${query} from ${clientIp}`];
}

function passedOverLines({ passedOver, passedOverMore }: ExplanationDocument): string[] {
  const width = Math.max(0, ...passedOver.map(({ route }) => route.length));
  const lines = passedOver.map(
    ({ route, path, failed }) => `  ${route.padEnd(width)}  no: ${failed} (${path})`,
  );
  return passedOverMore > 0 ? [...lines, `  and ${passedOverMore} more`] : lines;
}

function routeLines({ route, forwarded, sticky }: ExplanationDocument): string[] {
  if (!route) return [];
  const kind = route.configured ? 'route' : 'no route, service';
  const lines = [`${kind} ${route.name}, by ${route.path}`];
  if (route.filters.length > 0) {
    lines.push(`  passes ${route.filters.join(', ')} (not asked here)`);
  }
  if (forwarded) lines.push(`  sent as ${forwarded.target}, Host: ${forwarded.host}`);
  if (sticky) {
    const key = sticky.name === null ? sticky.by : `${sticky.by} ${sticky.name}`;
    lines.push(
      `  sticky by ${key}: ${sticky.caller === null ? 'not in this request' : sticky.caller}`,
    );
  }
  return lines;
}

function destinationLines(destination: Destination): string[] {
  const { service, subset, labels, weight, share, balancer, panicking, endpoints } = destination;
  const parts = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const which = [subset ?? '', ...parts].filter((part) => part !== '').join(',');
  const notes = panicking ? ', all ejected: tried all the same' : '';
  const head = `  to ${service}${which && `:${which}`}: ${percent(share)} (weight ${weight}), ${balancer}${notes}`;
  if (endpoints.length === 0) return [head, '    no instances'];
  const names = endpoints.map(({ id, address, port }) => `${id} ${address}:${port}`);
  const width = Math.max(...names.map((name) => name.length));
  return [
    head,
    ...endpoints.map((endpoint, at) => {
      const state =
        endpoint.reason === null ? endpoint.state : `${endpoint.state}: ${endpoint.reason}`;
      const drawn =
        endpoint.share === null || endpoint.share === 0 ? '' : `, ${percent(endpoint.share)}`;
      const active = endpoint.active === 0 ? '' : `, ${endpoint.active} under way`;
      const name = (names[at] ?? '').padEnd(width);
      return `    ${name}  ${state}${drawn} (weight ${endpoint.weight}${active})`;
    }),
  ];
}

function outcomeLine({ outcome, refusal, redirect, answer }: ExplanationDocument): string {
  switch (outcome) {
    case 'forward':
      return 'forwarded';
    case 'redirect':
      return `redirected: ${redirect?.status} to ${redirect?.location}`;
    case 'answer':
      return `answered here: ${answer?.status}`;
    case 'refused':
      return `refused: ${refusal?.status} ${refusal?.code}: ${refusal?.message}`;
  }
}

function percent(share: number): string {
  return `${Math.round(share * 1_000) / 10}%`;
}
