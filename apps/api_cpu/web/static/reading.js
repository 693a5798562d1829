// Has documents read: sends them a few at a time, follows them, and finds them again after a break.

import { documents, factsOf } from "/static/documents.js";
import { preferences } from "/static/preferences.js";
import { askPatiently, ServerError, upload } from "/static/server.js";

const AT_ONCE = 2;
let running = 0;

/** Have files read, each as a document of this tab. */
export function readFiles(files) {
  documents.add(files);
  pump();
}

/** Send a document again that failed. */
export function retry(entry) {
  documents.update(entry, { status: "waiting", error: null });
  pump();
}

/** After a reload: what was being read goes on, what had not been sent cannot. */
export function resume() {
  for (const entry of documents.all) {
    if (entry.status === "reading" || entry.status === "sending") recover(entry);
    else if (entry.status === "waiting") documents.update(entry, { status: "failed", error: lost });
  }
}

const lost = { code: "file_gone" };

async function pump() {
  while (running < AT_ONCE) {
    const entry = documents.all.find(({ status }) => status === "waiting");
    if (!entry) return;
    running += 1;
    read(entry).finally(() => {
      running -= 1;
      pump();
    });
  }
}

async function read(entry) {
  if (!entry.file) return documents.update(entry, { status: "failed", error: lost });
  // The id is ours, so that the answer is found again if this connection breaks.
  const requestId = crypto.randomUUID?.() ?? `page-${Date.now()}-${Math.random().toString(36).slice(2)}`;
  documents.update(entry, { status: "sending", share: 0, requestId });
  const form = new FormData();
  form.append("file", entry.file, entry.name);
  form.append("request_id", requestId);
  form.append("task_id", preferences.get("task"));
  form.append("persist_inputs", String(preferences.get("keeps")));
  try {
    const { body } = await upload("/v1/extract", form, {
      onProgress: (share) => documents.update(entry, share < 1 ? { share } : { share, status: "reading" }),
    });
    finish(entry, body);
  } catch (error) {
    if (error instanceof ServerError && error.code === "offline") await recover(entry);
    else fail(entry, error);
  }
}

/** The server was gone for a moment: its answer may be there, or the document has to be sent again. */
async function recover(entry) {
  documents.update(entry, { status: "reading" });
  try {
    finish(entry, await askPatiently(`/v1/extracts/${entry.requestId}`));
  } catch (error) {
    if (error.code !== "not_found") fail(entry, error);
    else if (entry.file) documents.update(entry, { status: "waiting" });
    else fail(entry, lost);
  }
}

function finish(entry, answer) {
  documents.update(entry, {
    status: "done", requestId: answer.request_id, facts: factsOf(answer), needsReview: answer.needs_review,
    inputRef: answer.input_ref, taskId: answer.task_id, error: null,
  });
}

function fail(entry, { code, message, requestId }) {
  documents.update(entry, { status: "failed", error: { code: code ?? "internal_error", message, requestId } });
}
