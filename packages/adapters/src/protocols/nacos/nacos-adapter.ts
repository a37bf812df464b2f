import type { ControlReply, ControlRequest, HttpProtocolAdapter, HttpRoute } from '@portolan/core';
import { clientOperations, httpClients } from './http/clients.ts';
import { configRoutes } from './http/config-service.ts';
import { instanceOperations } from './http/instances.ts';
import {
  type ApiVersion,
  jsonReply,
  readParameters,
  textReply,
  toReply,
} from './http/nacos-call.ts';
import { type NacosContext, type NacosOperation, serviceInfoOf } from './http/nacos-context.ts';
import { namespaceList, serverOperations } from './http/server-state.ts';
import { serviceOperations } from './http/services.ts';
import { toNacosFault } from './nacos-error.ts';
import type { NacosParts } from './nacos-parts.ts';
import { TOKEN_TTL_SECS } from './nacos-users.ts';
import { createDatagramPort } from './push/datagram-port.ts';
import { createUdpPush } from './push/udp-push.ts';
import { forFirstClients } from './service-info.ts';

const BASES: Readonly<Record<ApiVersion, string>> = {
  v1: '/nacos/v1/ns',
  v2: '/nacos/v2/ns',
  v3: '/nacos/v3/client/ns',
};
const LOGIN_PATHS = [
  '/nacos/v1/auth/login',
  '/nacos/v1/auth/users/login',
  '/nacos/v3/auth/user/login',
];

/** Nacos' HTTP API (docs/decisions/0010-eureka-and-nacos.md): functions from request to reply, and the pushes over UDP. */
export function createNacosAdapter(parts: NacosParts): HttpProtocolAdapter {
  const udp = createUdpPush({
    clock: parts.clock,
    pushes: parts.pushes,
    port: createDatagramPort(parts),
    info: ({ service, clusters }) =>
      forFirstClients(serviceInfoOf(parts, service, { clusters, healthyOnly: false }), service),
  });
  parts.signal.addEventListener('abort', () => udp.close(), { once: true });
  const context: NacosContext = { ...parts, udp };
  parts.clients.add(() => httpClients(context));
  const operations = [
    ...instanceOperations(context),
    ...serviceOperations(context),
    ...serverOperations(context),
    ...clientOperations(context),
  ];
  return {
    transport: 'http',
    name: 'nacos',
    prefixes: ['/nacos'],
    routes: [
      ...operations.flatMap((operation) => toRoutes(operation, context)),
      ...LOGIN_PATHS.map(
        (path): HttpRoute => ({
          method: 'POST',
          path,
          handle: (request) => login(context, request),
        }),
      ),
      {
        method: 'GET',
        path: '/nacos/v1/console/namespaces',
        handle(request) {
          authorise(context, request);
          return jsonReply(namespaceList(context));
        },
      },
      ...['liveness', 'readiness'].map(
        (name): HttpRoute => ({
          method: 'GET',
          path: `/nacos/v1/console/health/${name}`,
          handle: () => textReply('OK'),
        }),
      ),
      ...configRoutes(parts),
    ],
    renderError(error, request) {
      const { status, code, message } = toNacosFault(error, request.requestId);
      if (/^\/nacos\/v[23]\//.test(request.path)) {
        return jsonReply({ code, message, data: null }, status);
      }
      return textReply(message, status);
    },
  };
}

function toRoutes(operation: NacosOperation, context: NacosContext): HttpRoute[] {
  const { method, path, versions = ['v1', 'v2'], admission } = operation;
  return versions.map((api) => ({
    method,
    path: `${BASES[api]}${path}`,
    ...(admission === undefined ? undefined : { admission }),
    handle(request) {
      const parameters = authorise(context, request);
      const answer = operation.handle({ api, request, parameters });
      if (!(answer instanceof Promise)) return toReply(api, answer);
      return answer.then((settled) => toReply(api, settled));
    },
  }));
}

/** Reads the parameters, and refuses who may not. */
function authorise({ users }: NacosContext, request: ControlRequest) {
  const parameters = readParameters(request);
  const bearer = /^Bearer (\S+)$/i.exec(request.header('authorization') ?? '')?.[1];
  users?.require({
    accessToken: parameters.get('accessToken') ?? request.header('accesstoken') ?? bearer,
    username: parameters.get('username'),
    password: parameters.get('password'),
  });
  return parameters;
}

/** With no users there is nobody to refuse: clients that log in all the same go on. */
function login({ users }: NacosContext, request: ControlRequest): ControlReply {
  const parameters = readParameters(request);
  const username = parameters.required('username');
  const password = parameters.required('password');
  const accessToken = users ? users.login(username, password) : 'not-asked-for';
  const reply = jsonReply({ accessToken, tokenTtl: TOKEN_TTL_SECS, globalAdmin: true, username });
  return { ...reply, headers: { ...reply.headers, authorization: `Bearer ${accessToken}` } };
}
