import { DEFAULT_NAMESPACE } from '@portolan/core';
import type { CompiledDocument } from '../apply/compiled-document.ts';
import type { DocumentReader, Members } from '../apply/document-reader.ts';
import { compileDestinationRule } from './destination-rule.ts';
import { compileVirtualService } from './virtual-service.ts';

const API = /^networking\.istio\.io\/v1(?:alpha3|beta1)?$/;

/** The routes of a `VirtualService`, or the policy of a `DestinationRule`. */
export function compileIstioDocument(
  reader: DocumentReader,
  value: unknown,
): readonly CompiledDocument[] {
  const known = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];
  const document = reader.members(value, [], known);
  const { kind, apiVersion } = document;
  if (typeof apiVersion !== 'string' || !API.test(apiVersion)) {
    reader.refuse(['apiVersion'], 'expected networking.istio.io/v1, v1beta1 or v1alpha3');
  }
  const metadata = (document.metadata ?? {}) as Members;
  const name = reader.text(metadata.name, ['metadata', 'name']);
  if (name === '') reader.refuse(['metadata'], 'expected a name');
  const said = metadata.namespace;
  const namespace =
    said === undefined ? DEFAULT_NAMESPACE : reader.text(said, ['metadata', 'namespace']);
  if (kind === 'VirtualService') {
    return compileVirtualService(reader, document.spec, { name, namespace }).map((route) => ({
      kind: 'route' as const,
      namespace,
      name: route.name,
      document: { ...route.body, name: route.name, namespace },
      path: ['spec'],
    }));
  }
  if (kind === 'DestinationRule') {
    const policy = compileDestinationRule(reader, document.spec, namespace);
    const { service, body } = policy;
    return [
      {
        kind: 'policy',
        name: service,
        namespace: policy.namespace,
        document: { ...body, service, namespace: policy.namespace },
        path: ['spec'],
      },
    ];
  }
  reader.refuse(['kind'], 'expected VirtualService or DestinationRule');
  return [];
}
