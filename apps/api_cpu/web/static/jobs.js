// Jobs of the server: those that wait or run, and one followed until its end.

import { ask, askPatiently, events } from "/static/server.js";

/** How often a list of jobs is asked for. */
export const JOBS_EVERY_MS = 2000;
const A_WAIT_S = 20;
const FINAL = new Set(["succeeded", "failed", "canceled"]);

/** Jobs that wait or run, the newest first. Throws ServerError. */
export async function jobsNow() {
  return (await ask("/v1/jobs?status=queued&status=running&limit=50")).jobs;
}

/** A job once it has ended, its result in it; `onState(job)` with its place in the queue meanwhile. Throws ServerError. */
export async function jobEnded(jobId, onState = () => {}) {
  let job = await askPatiently(`/v1/jobs/${jobId}`);
  while (!FINAL.has(job.status)) {
    onState(job);
    job = await askPatiently(`/v1/jobs/${jobId}?wait=${job.status === "queued" ? 2 : A_WAIT_S}`);
  }
  return job;
}

/** The events of a job until it has ended: `{event, data}` each. Throws ServerError. */
export const jobEvents = (jobId, signal) => events(`/v1/jobs/${jobId}/events`, { signal });
