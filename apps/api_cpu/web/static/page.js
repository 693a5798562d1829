// The page: sends one document to /v1/extract, and asks for a key where the server does.

import { parse, show } from "/static/result.js";

const find = (id) => document.getElementById(id);
const [keyForm, keyBox, fileBox, drop, status, progress, problem, answer] =
  ["key-form", "key", "file", "drop", "status", "progress", "problem", "answer"].map(find);
let asksForKeys = false;
let fileName = "receipt.jpg";
let extractUrl = "";

keyBox.value = sessionStorage.getItem("key") ?? "";
keyForm.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", keyBox.value.trim());
  checkKey();
});
fileBox.addEventListener("change", () => read(fileBox.files));
for (const name of ["dragover", "dragleave", "drop"]) {
  // On the whole page: a document that misses the box must not replace the page.
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") read(event.dataTransfer.files);
  });
}
find("copy-curl").addEventListener("click", (event) => copy("curl", event.target));
find("copy-json").addEventListener("click", (event) => copy("json", event.target));
find("csv").addEventListener("click", saveCsv);
showCurl();
checkKey();

async function read(files) {
  if (!files.length || fileBox.disabled) return;
  const file = files[0];
  fileName = file.name;
  showCurl();
  answer.hidden = true;
  complain("");
  busy(true, `Reading ${file.name} …${files.length > 1 ? " (one document at a time)" : ""}`);
  const form = new FormData();
  form.append("file", file);
  try {
    const text = await ask("/v1/extract", { method: "POST", body: form });
    if (text !== null) present(text);
  } finally {
    busy(false, "");
    fileBox.value = "";
  }
}

function present(text) {
  const body = parse(text);
  extractUrl = `/v1/extracts/${encodeURIComponent(body.request_id)}`;
  show(body);
  find("json").textContent = indented(text);
  answer.hidden = false;
  find("headline").focus({ preventScroll: true });
}

/** JSON.stringify would write 33.90 as 33.9, so the text itself is indented. */
function indented(text) {
  let depth = 0;
  return text.replace(/"(?:[^"\\]|\\.)*"|\[\]|\{\}|[[\]{}:,]/g, (token) => {
    if ("]}".includes(token)) return `\n${"  ".repeat(--depth)}${token}`;
    if (token === ":") return ": ";
    if (token === ",") return `,\n${"  ".repeat(depth)}`;
    return "[{".includes(token) ? `${token}\n${"  ".repeat(++depth)}` : token;
  });
}

/** The text of a good answer; null after telling the person what went wrong. */
async function ask(path, options = {}) {
  const key = sessionStorage.getItem("key");
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  let response;
  let text;
  try {
    response = await fetch(path, { ...options, headers });
    text = await response.text();
  } catch {
    complain("The server does not answer. Is it running, and is the document below its size limit?");
    return null;
  }
  if (response.ok) return text;
  const error = errorOf(text);
  if (error.code === "unauthorized") {
    askForKey(key ? "This key is not valid here." : "");
    return null;
  }
  complain(error.message, error.code ? `${error.code}, request ${error.request_id}` : `HTTP ${response.status}`);
  return null;
}

function errorOf(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return { message: "Something between this page and the server refused the request." };
  }
}

async function checkKey() {
  complain("");
  const text = await ask("/v1/me");
  if (text === null) return;
  if (asksForKeys) say("The key is valid.");
}

function askForKey(why) {
  asksForKeys = true;
  keyForm.hidden = false;
  showCurl();
  complain(why);
  if (!why) say("This server asks for an API key.");
  keyBox.focus();
}

async function saveCsv() {
  const text = await ask(`${extractUrl}?format=csv`);
  if (text === null) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `${fileName.replace(/\.\w+$/, "")}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function copy(id, button) {
  // Browsers give the clipboard to pages over HTTPS or on this machine only; else it is selected.
  try {
    await navigator.clipboard.writeText(find(id).textContent);
    button.textContent = "Copied";
  } catch {
    find(id).closest("details").open = true;
    getSelection().selectAllChildren(find(id));
  }
}

function busy(isBusy, text) {
  fileBox.disabled = isBusy;
  progress.hidden = !isBusy;
  drop.classList.toggle("busy", isBusy);
  say(text);
}

function say(text) {
  status.textContent = text;
}

function complain(text, small = "") {
  problem.textContent = text;
  problem.hidden = !text;
  if (small) {
    const line = document.createElement("div");
    line.textContent = small;
    line.className = "quiet";
    problem.append(line);
  }
}

function showCurl() {
  const header = asksForKeys || sessionStorage.getItem("key") ? '-H "Authorization: Bearer $API_KEY" ' : "";
  const quoted = fileName.replaceAll("'", "'\\''");
  find("curl").textContent = `curl ${header}-F 'file=@${quoted}' ${location.origin}/v1/extract`;
}
