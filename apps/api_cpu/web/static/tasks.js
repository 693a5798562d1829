// The extraction tasks of this server, asked for once.

import { knows, t } from "/static/language.js";
import { askPatiently } from "/static/server.js";

let tasks = null;

/** All tasks. Throws ServerError. */
export function allTasks() {
  tasks ??= askPatiently("/v1/tasks").then(({ tasks: found }) => found).catch((error) => {
    tasks = null;
    throw error;
  });
  return tasks;
}

/** One task; without fields if the server has it no more. Throws ServerError. */
export async function taskOf(id) {
  return (await allTasks()).find((task) => task.id === id) ?? { id, fields: [] };
}

/** `invoice_fields_v1` in words; a task of one's own by its id. */
export const taskName = (id) => (knows(`task.${id}`) ? t(`task.${id}`) : id);
