import type { Command } from 'commander';
import type { CliContext } from './context.ts';

/** Adds one command, complete with options and action, to the program. */
export type AddCommand = (program: Command, context: CliContext) => void;

export interface CommandEntry {
  readonly name: string;
  /** One line, shown by `portolan --help` without loading the command. */
  readonly summary: string;
  readonly load: () => Promise<AddCommand>;
  /** Works on the whole command tree, so all of it is loaded with it. */
  readonly needsAll?: true;
}

/** Every command in the order of `portolan --help`. A command's module is loaded only when it is named. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'serve',
    summary: 'run registry and gateway',
    load: async () => (await import('./commands/serve.ts')).addServe,
  },
  {
    name: 'config',
    summary: 'show or check the configuration',
    load: async () => (await import('./commands/config.ts')).addConfigCommand,
  },
  {
    name: 'agent',
    summary: 'run an application and keep it registered',
    load: async () => (await import('./commands/agent.ts')).addAgent,
  },
  {
    name: 'services',
    summary: 'list services',
    load: async () => (await import('./commands/services.ts')).addServices,
  },
  {
    name: 'service',
    summary: 'make a service exclusive, see who is active, hand over',
    load: async () => (await import('./commands/service.ts')).addService,
  },
  {
    name: 'instances',
    summary: 'list instances of a service, or all',
    load: async () => (await import('./commands/instances.ts')).addInstances,
  },
  {
    name: 'instance',
    summary: 'show one instance, take it out of traffic or bring it back',
    load: async () => (await import('./commands/instance.ts')).addInstance,
  },
  {
    name: 'register',
    summary: 'register an instance',
    load: async () => (await import('./commands/register.ts')).addRegister,
  },
  {
    name: 'deregister',
    summary: 'deregister instances, or all of a service',
    load: async () => (await import('./commands/deregister.ts')).addDeregister,
  },
  {
    name: 'route',
    summary: 'list, show, set, explain and delete routes, shift traffic',
    load: async () => (await import('./commands/route.ts')).addRoute,
  },
  {
    name: 'policy',
    summary: 'list, show, set and delete traffic policies',
    load: async () => (await import('./commands/policy.ts')).addPolicy,
  },
  {
    name: 'apply',
    summary: 'write routes and traffic policies of a file, or Istio’s documents, in one commit',
    load: async () => (await import('./commands/apply.ts')).addApply,
  },
  {
    name: 'docker',
    summary: 'list the containers of the Docker Engine, and explain their addresses',
    load: async () => (await import('./commands/docker.ts')).addDocker,
  },
  {
    name: 'watch',
    summary: 'show changes as they happen',
    load: async () => (await import('./commands/watch.ts')).addWatch,
  },
  {
    name: 'snapshot',
    summary: 'save or restore everything a registry holds',
    load: async () => (await import('./commands/snapshot.ts')).addSnapshot,
  },
  {
    name: 'bench',
    summary: 'put a load on a running registry',
    load: async () => (await import('./commands/bench.ts')).addBench,
  },
  {
    name: 'completion',
    summary: 'print a completion script for a shell',
    load: async () => (await import('./commands/completion.ts')).addCompletion,
    needsAll: true,
  },
];
