/** What a selector may lead to in the answers of an endpoint. */
export type FieldType =
  | 'text'
  | 'number'
  | 'flag'
  | { readonly list: FieldType }
  | { readonly map: FieldType }
  | { readonly fields: Readonly<Record<string, FieldType>> };

const labels: FieldType = { map: 'text' };
const tags: FieldType = { list: 'text' };
const address: FieldType = { fields: { Address: 'text', Port: 'number' } };
const weights: FieldType = { fields: { Passing: 'number', Warning: 'number' } };

const node: FieldType = {
  fields: {
    ID: 'text',
    Node: 'text',
    Address: 'text',
    Datacenter: 'text',
    TaggedAddresses: labels,
    Meta: labels,
  },
};

const service: FieldType = {
  fields: {
    Kind: 'text',
    ID: 'text',
    Service: 'text',
    Tags: tags,
    Address: 'text',
    TaggedAddresses: { map: address },
    Meta: labels,
    Port: 'number',
    Weights: weights,
    EnableTagOverride: 'flag',
  },
};

const check: FieldType = {
  fields: {
    Node: 'text',
    CheckID: 'text',
    Name: 'text',
    Status: 'text',
    Notes: 'text',
    Output: 'text',
    ServiceID: 'text',
    ServiceName: 'text',
    ServiceTags: tags,
    Type: 'text',
    Interval: 'text',
    Timeout: 'text',
  },
};

const catalogService: FieldType = {
  fields: {
    ID: 'text',
    Node: 'text',
    Address: 'text',
    Datacenter: 'text',
    TaggedAddresses: labels,
    NodeMeta: labels,
    ServiceKind: 'text',
    ServiceID: 'text',
    ServiceName: 'text',
    ServiceTags: tags,
    ServiceAddress: 'text',
    ServiceTaggedAddresses: { map: address },
    ServiceWeights: weights,
    ServiceMeta: labels,
    ServicePort: 'number',
    ServiceEnableTagOverride: 'flag',
  },
};

/** By what an endpoint lists. */
export const FILTER_FIELDS = {
  node,
  service,
  check,
  catalogService,
  healthEntry: { fields: { Node: node, Service: service, Checks: { list: check } } },
  /** `/v1/catalog/services` filters what its names and tags are taken from. */
  serviceNode: catalogService,
} as const satisfies Record<string, FieldType>;
