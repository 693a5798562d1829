// Has documents read: sends them a few at a time, follows their jobs, and finds them again after a break.

import { documents, factsOf } from "/static/documents.js";
import { cancelJob, jobEnded } from "/static/jobs.js";
import { preferences } from "/static/preferences.js";
import { isPassing, isUnsettled, sleep, upload } from "/static/server.js";

const SENT_AT_ONCE = 2;
const TRY_AGAIN_MS = 3000;
const beforeReload = [...documents.all];
let sending = 0;

/** Have files read, each as a document of this tab. */
export function readFiles(files) {
  documents.add(files);
  send();
}

/** Send a document again that failed. */
export function retry(entry) {
  documents.update(entry, { status: "waiting", error: null, jobId: null });
  send();
}

/** Give a document up that waits or is being read. */
export async function cancel(entry) {
  if (entry.jobId) await cancelJob(entry.jobId);
  else documents.update(entry, { status: "canceled" });
}

/** After a reload, once: what the server has goes on; what was not sent yet is gone. */
export function resume() {
  for (const entry of beforeReload.splice(0)) {
    if (entry.status === "reading" && entry.jobId) follow(entry);
    else if (["waiting", "sending", "reading"].includes(entry.status)) failed(entry, { code: "file_gone" });
  }
}

async function send() {
  while (sending < SENT_AT_ONCE) {
    const entry = documents.all.find(({ status }) => status === "waiting");
    if (!entry) return;
    sending += 1;
    submit(entry).finally(() => {
      sending -= 1;
      send();
    });
  }
}

async function submit(entry) {
  documents.update(entry, { status: "sending", share: 0 });
  try {
    const { body } = await uploadSurely(entry, "/v1/extract_async", formOf(entry));
    documents.update(entry, { status: "reading", jobId: body.job_id });
  } catch (error) {
    failed(entry, error);
    return;
  }
  follow(entry);
}

/**
 * Upload for an entry, whose share is told. An answer that got lost is asked for again under the same
 * key, so that nothing is read twice. Throws ServerError.
 */
export async function uploadSurely(entry, path, form) {
  for (let attempt = newId(); ;) {
    try {
      return await upload(path, form, {
        headers: { "Idempotency-Key": attempt },
        onProgress: (share) => documents.update(entry, { share }),
      });
    } catch (error) {
      if (!isPassing(error) || entry.status !== "sending") throw error;
      // A refusal was an answer: the next attempt is another request.
      if (!isUnsettled(error)) attempt = newId();
      await sleep(TRY_AGAIN_MS);
    }
  }
}

function formOf({ file, name }) {
  const form = new FormData();
  form.append("file", file, name);
  form.append("task_id", preferences.get("task"));
  form.append("persist_inputs", String(preferences.get("keeps")));
  return form;
}

async function follow(entry) {
  try {
    const job = await jobEnded(entry.jobId, ({ queue_position: position, progress }) =>
      documents.update(entry, { queue: { position, eta: progress.eta_s } }));
    if (job.status === "succeeded") finish(entry, job.result);
    else if (job.status === "canceled") documents.update(entry, { status: "canceled" });
    else failed(entry, job.error);
  } catch (error) {
    failed(entry, error);
  }
}

function finish(entry, answer) {
  documents.update(entry, {
    status: "done", requestId: answer.request_id, facts: factsOf(answer), needsReview: answer.needs_review,
    inputRef: answer.input_ref, taskId: answer.task_id, error: null,
  });
}

/** An entry has come to a bad end. */
export function failed(entry, { code = "internal_error", message, details, request_id: requestId }) {
  documents.update(entry, { status: "failed", error: { code, message, details, requestId } });
}

/** `crypto.randomUUID` exists on https and loopback only. */
function newId() {
  return crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
