import { describe, expect, it } from 'vitest';
import { createZeroConfigRoutes } from './zero-config-routes.ts';

const service = (name: string, namespace = 'default') => ({ namespace, group: 'default', name });

describe('zero-configuration routes', () => {
  it('find a service by the first label of the host, whatever follows and whatever the case', () => {
    const routes = createZeroConfigRoutes();
    routes.add(service('USER-SERVICE'));
    for (const host of ['user-service', 'user-service.localhost', 'user-service.a.b']) {
      expect(routes.find(host, '/x')).toEqual({ service: service('USER-SERVICE'), prefix: '' });
    }
    expect(routes.find('other.localhost', '/x')).toBeUndefined();
  });

  it('find a service by the first segment of the path, with that segment as prefix', () => {
    const routes = createZeroConfigRoutes();
    routes.add(service('web'));
    for (const path of ['/web', '/web/', '/web/rest/of']) {
      expect(routes.find('127.0.0.1', path)).toEqual({ service: service('web'), prefix: '/web' });
    }
    expect(routes.find('127.0.0.1', '/webx')).toBeUndefined();
    expect(routes.find('127.0.0.1', '/')).toBeUndefined();
  });

  it('prefer the host, and the longest name with dots', () => {
    const routes = createZeroConfigRoutes();
    for (const name of ['a', 'a.b', 'web']) routes.add(service(name));
    expect(routes.find('a.b.localhost', '/web')?.service.name).toBe('a.b');
  });

  it('never take an address for a service name', () => {
    const routes = createZeroConfigRoutes();
    routes.add(service('127'));
    expect(routes.find('127.0.0.1', '/')).toBeUndefined();
    expect(routes.find('[::1]', '/')).toBeUndefined();
  });

  it('leave other namespaces to configured routes', () => {
    const routes = createZeroConfigRoutes();
    routes.add(service('web', 'other'));
    expect(routes.find('web', '/web')).toBeUndefined();
  });

  it('remember a bounded number of services that went', () => {
    const routes = createZeroConfigRoutes();
    for (let at = 0; at < 1_500; at++) {
      routes.add(service(`s${at}`));
      routes.retire(service(`s${at}`));
    }
    expect(routes.find('', '/s0')).toBeUndefined();
    expect(routes.find('', '/s1499')?.service.name).toBe('s1499');
  });
});
