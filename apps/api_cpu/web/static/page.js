// The page: sends one document to /v1/extract and shows what came back.
// Everything from the server is put in as text, never as HTML.

const find = (id) => document.getElementById(id);
const [keyBox, fileBox, drop, status, progress, answer] =
  ["key", "file", "drop", "status", "progress", "answer"].map(find);
const SURE = 0.9;
const UNSURE = 0.6;

keyBox.value = sessionStorage.getItem("key") ?? "";
keyBox.addEventListener("input", () => sessionStorage.setItem("key", keyBox.value));
find("form").addEventListener("submit", (event) => event.preventDefault());
fileBox.addEventListener("change", () => read(fileBox.files[0]));
drop.addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") fileBox.click();
});
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") read(event.dataTransfer.files[0]);
  });
}
find("copy").addEventListener("click", () => navigator.clipboard.writeText(find("curl").textContent));
showCurl("receipt.jpg");

async function read(file) {
  if (!file) return;
  showCurl(file.name);
  const form = new FormData();
  form.append("file", file);
  const key = keyBox.value.trim();
  say(`Reading ${file.name} …`);
  answer.hidden = true;
  progress.hidden = false;
  try {
    const response = await fetch("/v1/extract", {
      method: "POST",
      headers: key ? { Authorization: `Bearer ${key}` } : {},
      body: form,
    });
    const text = await response.text();
    const body = JSON.parse(text);
    if (!response.ok) {
      say(`${body.error.message} (${body.error.code}, request ${body.error.request_id})`, true);
      return;
    }
    show(body, text);
    say(`Read in ${body.timings_ms.total} ms.`);
  } catch {
    say("The server did not answer. Is it running, and is the document not too large?", true);
  } finally {
    progress.hidden = true;
    fileBox.value = "";
  }
}

function show(body, text) {
  find("summary").textContent =
    `${body.document_type}, read as ${body.task_id}` +
    (body.needs_review ? "; should be looked at by a person:" : "; nothing speaks against it.");
  fill("reasons", [...body.review_reasons, ...body.warnings].map((reason) => item(reason, "doubt")));
  const rows = Object.entries(body.fields).map(([name, field]) => {
    const row = document.createElement("tr");
    row.append(
      cell(name),
      cell(field.value),
      cell(field.raw),
      cell(`${Math.round(field.confidence * 100)} %`, `number ${grade(field.confidence)}`),
      cell(field.page ?? "", "number"),
    );
    return row;
  });
  find("fields").tBodies[0].replaceChildren(...rows);
  const grades = { passed: "good", failed: "bad", skipped: "quiet" };
  fill("checks", body.checks.map((check) =>
    item(`${check.rule}: ${check.status} ${check.message}`, grades[check.status])));
  // The text as sent: a browser's numbers would lose printed decimals.
  find("json").textContent = text;
  answer.hidden = false;
}

function grade(confidence) {
  if (confidence >= SURE) return "good";
  return confidence >= UNSURE ? "doubt" : "bad";
}

function cell(text, className = "") {
  const element = document.createElement("td");
  element.textContent = text;
  element.className = className;
  return element;
}

function item(text, className) {
  const element = document.createElement("li");
  element.textContent = text;
  element.className = className;
  return element;
}

function fill(id, elements) {
  find(id).replaceChildren(...elements);
}

function say(text, isError = false) {
  status.textContent = text;
  status.classList.toggle("error", isError);
}

function showCurl(name) {
  const quoted = name.replaceAll("'", "'\\''");
  find("curl").textContent =
    `curl -H "Authorization: Bearer $API_KEY" -F 'file=@${quoted}' ${location.origin}/v1/extract`;
}
