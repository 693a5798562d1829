// Jobs of the server: those that wait or run, and those that somebody here waits for.

import { ask, events, isPassing, sleep } from "/static/server.js";

/** How often a list of jobs is asked for. */
export const JOBS_EVERY_MS = 2000;
const LOOK_EVERY_MS = 700;
const A_WAIT_S = 2;
const FINAL = new Set(["succeeded", "failed", "canceled"]);
const watched = new Map();
let isLooking = false;

/** Jobs that wait or run, the newest first. Throws ServerError. */
export async function jobsNow() {
  return (await ask("/v1/jobs?status=queued&status=running&limit=200")).jobs;
}

/**
 * Resolves with the job once it has ended, its result in it; `onState(job)` tells its place in the queue
 * meanwhile. A server that is away is waited for. However many jobs are watched, one connection asks.
 */
export function jobEnded(jobId, onState = () => {}) {
  return new Promise((resolve, reject) => {
    watched.set(jobId, { onState, resolve, reject });
    if (!isLooking) look();
  });
}

/**
 * What happens to a job until its end: `{event, data}` each, `progress`, `item` and at last `ended`. Throws
 * ServerError.
 */
export const jobEvents = (jobId, signal) => events(`/v1/jobs/${jobId}/events`, { signal, last: "ended" });

/** The job that reads a run now; undefined where none does. Throws ServerError. */
export const jobOfRun = async (runId) => (await jobsNow()).find((job) => job.run_id === runId);

/** Cancel a job. Throws ServerError. */
export const cancelJob = (jobId) => ask(`/v1/jobs/${jobId}/cancel`, { method: "POST" });

async function look() {
  isLooking = true;
  while (watched.size) {
    try {
      await lookOnce();
    } catch (error) {
      if (!isPassing(error)) giveUp(error);
    }
    await sleep(LOOK_EVERY_MS);
  }
  isLooking = false;
}

/** Nobody waits any longer: the server refuses to tell. */
function giveUp(error) {
  for (const { reject } of watched.values()) reject(error);
  watched.clear();
}

async function lookOnce() {
  // One job is waited for at the server, which answers at its end; of many the list is asked for.
  const busy = new Map(watched.size === 1 ? [] : (await jobsNow()).map((job) => [job.job_id, job]));
  const wait = watched.size === 1 ? `?wait=${A_WAIT_S}` : "";
  for (const [jobId, { onState, resolve, reject }] of watched) {
    try {
      const job = busy.get(jobId) ?? (await ask(`/v1/jobs/${jobId}${wait}`));
      if (!FINAL.has(job.status)) onState(job);
      else if (watched.delete(jobId)) resolve(job);
    } catch (error) {
      if (isPassing(error)) throw error;
      watched.delete(jobId);
      reject(error);
    }
  }
}
