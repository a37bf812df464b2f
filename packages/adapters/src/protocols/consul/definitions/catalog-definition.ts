import { anything, flag, listOf, mapOf, struct, text, whole } from './go-decoder.ts';
import { catalogService } from './service-definition.ts';

const catalogCheck = struct('structs.HealthCheck', {
  Node: text,
  CheckID: text,
  ID: text,
  Name: text,
  Status: text,
  Notes: text,
  Output: text,
  ServiceID: text,
  ServiceName: text,
  ServiceTags: listOf(text),
  Type: text,
  Interval: text,
  Timeout: text,
  ExposedPort: whole,
  PeerName: text,
  Namespace: text,
  Partition: text,
  Definition: anything,
  CreateIndex: whole,
  ModifyIndex: whole,
});

export type CatalogCheck = NonNullable<ReturnType<typeof catalogCheck.decode>>;

/** Body of `PUT /v1/catalog/register`. */
export const catalogRegistration = struct('structs.RegisterRequest', {
  ID: text,
  Datacenter: text,
  Node: text,
  Address: text,
  TaggedAddresses: mapOf(anything),
  NodeMeta: mapOf(text),
  Locality: anything,
  Service: catalogService,
  Check: catalogCheck,
  Checks: listOf(catalogCheck),
  SkipNodeUpdate: flag,
  PeerName: text,
  Token: text,
  WriteRequest: anything,
  Namespace: text,
  Partition: text,
  EnterpriseMeta: anything,
});

export type CatalogRegistration = NonNullable<ReturnType<typeof catalogRegistration.decode>>;

/** Body of `PUT /v1/catalog/deregister`. */
export const catalogDeregistration = struct('structs.DeregisterRequest', {
  Datacenter: text,
  Node: text,
  ServiceID: text,
  CheckID: text,
  PeerName: text,
  Token: text,
  WriteRequest: anything,
  Namespace: text,
  Partition: text,
  EnterpriseMeta: anything,
});
