// Many files at once, a folder or a ZIP: one upload that becomes a run of the server.

import { documents } from "/static/documents.js";
import { preferences } from "/static/preferences.js";
import { failed, readFiles, uploadSurely } from "/static/reading.js";

const READ_SINGLY = 10;

/** Have files read: a few as documents of this tab, more of them or a ZIP as a run. Resolves with the run's id, if any. */
export async function readAll(files) {
  if (files.length <= READ_SINGLY && !files.some(({ name }) => /\.zip$/i.test(name))) {
    readFiles(files);
    return null;
  }
  const name = files.length === 1 ? files[0].name : `${files.length} × …`;
  const entry = documents.addUpload(name);
  try {
    const runId = runName();
    await uploadSurely(entry, "/v1/batch_extract_upload_async", formOf(files, runId));
    documents.remove(entry);
    return runId;
  } catch (error) {
    failed(entry, error);
    return null;
  }
}

/** Of the moment, so that runs sort and a person knows which is which; the end keeps two people apart. */
function runName() {
  const now = new Date();
  const two = (number) => String(number).padStart(2, "0");
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join("-");
  const end = crypto.getRandomValues(new Uint16Array(1))[0].toString(16).padStart(4, "0");
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}-${end}`;
}

function formOf(files, runId) {
  const form = new FormData();
  form.append("task_id", preferences.get("task"));
  form.append("persist_inputs", String(preferences.get("keeps")));
  form.append("run_id", runId);
  for (const file of files) form.append("files", file, file.webkitRelativePath || file.name);
  return form;
}
