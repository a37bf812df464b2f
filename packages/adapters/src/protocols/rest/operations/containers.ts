import { RegistryError } from '@portolan/core';
import { type ContainerBoard, findContainers } from '../../../providers/docker/container-board.ts';
import { toContainerJson, toContainersJson } from '../codecs/container-json.ts';
import { jsonReply } from '../json-reply.ts';
import type { Operation, RestContext } from '../operation.ts';
import { containersAnswer } from '../schemas/container-schema.ts';

/** The containers of the Docker Engine that this registry follows. */
export function containerOperations({ containers }: RestContext): Operation[] {
  function require(): ContainerBoard {
    const board = containers?.();
    if (board) return board;
    throw new RegistryError('PATH_NOT_FOUND', {
      detail: 'No Docker Engine is followed here: start the registry with --docker.',
    });
  }

  return [
    {
      id: 'listContainers',
      tag: 'Docker',
      summary:
        'List the containers, tasks and services of the Docker Engine, and what became of them',
      method: 'GET',
      path: '/docker/containers',
      answers: { 200: { description: 'All of them, by name.', schema: containersAnswer } },
      errors: ['PATH_NOT_FOUND'],
      handle: () => jsonReply(toContainersJson(require())),
    },
    {
      id: 'explainContainer',
      tag: 'Docker',
      summary: 'Explain which address and port of a container were chosen, and which were not',
      method: 'GET',
      path: '/docker/containers/:container',
      answers: {
        200: {
          description: 'By name, or by the beginning of an id.',
          schema: containersAnswer,
        },
      },
      errors: ['PATH_NOT_FOUND'],
      handle({ params }) {
        const board = require();
        const wanted = params.container ?? '';
        const found = findContainers(board.view(), wanted);
        if (found.length > 0) return jsonReply(toContainerJson(board, found));
        throw new RegistryError('PATH_NOT_FOUND', {
          detail: `No container or Swarm service ${JSON.stringify(wanted.slice(0, 128))} on the Docker Engine that is followed.`,
        });
      },
    },
  ];
}
