// The page: the frame around its views, the way between them, keys of the keyboard, and asking for an API key.

import { AgainView } from "/static/again_view.js";
import { DocumentView } from "/static/document_view.js";
import { button, el, icon } from "/static/elements.js";
import { InboxView } from "/static/inbox_view.js";
import { watchDrops, watchPaste } from "/static/intake.js";
import { loadLanguage, t } from "/static/language.js";
import { forgetProblem, inWords, notices, say, shown } from "/static/notices.js";
import { applyTheme } from "/static/preferences.js";
import { QualityView } from "/static/quality_view.js";
import { resume } from "/static/reading.js";
import { readAll } from "/static/run_upload.js";
import { RunView } from "/static/run_view.js";
import { RunsView } from "/static/runs_view.js";
import { connection, key } from "/static/server.js";
import { session } from "/static/session.js";
import { SettingsView } from "/static/settings_view.js";
import { openShortcuts } from "/static/shortcuts.js";

const VIEWS = [
  [/^#\/documents\/([^/]+)$/, (id) => new DocumentView(id, navigate)],
  [/^#\/again\/([^/]+)$/, (id) => new AgainView(id)],
  [/^#\/runs$/, () => new RunsView()],
  [/^#\/runs\/([^/]+)$/, (id) => new RunView(id, navigate)],
  [/^#\/quality$/, () => new QualityView(navigate)],
  [/^#\/quality\/run\/([^/]+)$/, (runId) => new QualityView(navigate, { runId })],
  [/^#\/quality\/([^/]+)$/, (evalId) => new QualityView(navigate, { evalId })],
  [/^#\/settings$/, () => new SettingsView()],
  [/^/, () => new InboxView(take)],
];
const LINKS = [
  { href: "#/", name: "nav.documents", sign: "file", below: /^(#\/(documents|again)\/.*|#\/|)$/ },
  { href: "#/runs", name: "nav.runs", sign: "runs", below: /^#\/runs/ },
  { href: "#/quality", name: "nav.evals", sign: "chart", below: /^#\/quality/, scope: "debug:run" },
  { href: "#/settings", name: "nav.settings", sign: "gear", below: /^#\/settings/ },
];

const main = el("main", { id: "main", tabindex: "-1" });
let view = null;
let lastHash = null;

start();

async function start() {
  applyTheme();
  await loadLanguage();
  document.body.replaceChildren(...frame());
  connection.addEventListener("keyneeded", askForKey);
  connection.addEventListener("offline", () => document.body.classList.add("offline"));
  connection.addEventListener("online", () => document.body.classList.remove("offline"));
  watchDrops(take, (isOver) => document.body.classList.toggle("dropping", isOver));
  watchPaste(take);
  session.addEventListener("change", markLinks);
  addEventListener("hashchange", show);
  addEventListener("keydown", pressed);
  addEventListener("beforeunload", (event) => view?.isUnsaved && event.preventDefault());
  document.body.classList.add("ready");
  sessionStorage.removeItem("loads");
  performance.mark("interactive");
  try {
    await session.open();
  } catch (error) {
    if (error.code !== "unauthorized") say(inWords(error));
  }
  if (session.me) resume();
  await show();
}

function frame() {
  const links = LINKS.map(({ href, name, sign }) => el("a", { href }, icon(sign), el("span", {}, t(name))));
  return [
    el("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); main.focus(); } }, t("nav.skip")),
    el("header", { class: "top" }, el("h1", {}, t("app.title")), el("nav", { "aria-label": t("nav.title") }, links),
      button({ label: t("keys.title"), sign: "keyboard", shows: "icon", class: "plain", onclick: openShortcuts })),
    el("p", { class: "banner", role: "status" }, icon("bad"), t("error.offline")),
    main, notices,
    el("div", { class: "drop-veil", "aria-hidden": "true" }, icon("drop"), t("inbox.title")),
  ];
}

function navigate(hash) {
  location.hash = hash;
}

async function show() {
  if (view?.isUnsaved && location.hash !== lastHash && !confirm(t("document.unsaved"))) {
    history.replaceState(null, "", lastHash);
    return;
  }
  lastHash = location.hash;
  forgetProblem();
  view?.close();
  const [pattern, make] = VIEWS.find(([known]) => known.test(location.hash));
  const made = make(...(pattern.exec(location.hash)?.slice(1) ?? []).map(decodeURIComponent));
  view = made;
  main.replaceChildren(made.element);
  markLinks();
  try {
    await made.open();
  } catch (error) {
    if (view === made && error.name !== "AbortError") main.replaceChildren(failed(error));
    if (!error.code) throw error;
  }
  if (view === made) document.title = `${made.title} · ${t("app.title")}`;
}

function failed(error) {
  return el("div", { class: "failure", role: "alert" }, icon("bad"), el("h2", {}, inWords(error)),
    error.requestId ? el("p", { class: "quiet" }, el("code", {}, error.requestId)) : null,
    button({ label: t("error.again"), onclick: show }));
}

/** Mark the link of the view that is shown, and hide those that the key is not for. */
function markLinks() {
  for (const link of document.querySelectorAll(".top nav a")) {
    const { below, scope } = LINKS.find(({ href }) => href === link.getAttribute("href"));
    link.hidden = Boolean(scope) && !session.may(scope);
    if (below.test(location.hash)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** Have files read; a run is shown as soon as the server has it. */
async function take(files) {
  if (!(view instanceof InboxView)) navigate("#/");
  const runId = await readAll(files);
  if (runId && view instanceof InboxView) navigate(`#/runs/${encodeURIComponent(runId)}`);
}

function pressed(event) {
  if (document.querySelector("dialog[open]")) return;
  const isTyping = event.target.closest("input, select, textarea");
  const isCommand = event.ctrlKey || event.metaKey || event.altKey;
  if (isTyping && !isCommand) return;
  if (view?.key(event)) event.preventDefault();
  else if (event.key === "?" && !isTyping) openShortcuts();
}

/** A dialogue that asks for a key until one is valid; once at a time. */
function askForKey() {
  if (document.querySelector("dialog.key")) return;
  const hadKey = Boolean(key.get());
  const input = el("input", { id: "asked-key", type: "password", autocomplete: "off", spellcheck: "false", placeholder: "ocr_…", required: true });
  const note = el("p", { class: "note bad", role: "alert" }, hadKey ? t("key.not_valid") : "");
  const dialog = el("dialog", { class: "key", "aria-labelledby": "key-title" },
    el("form", { method: "dialog", onsubmit: shown(async (event) => {
      event.preventDefault();
      try {
        await session.use(input.value.trim());
      } catch (error) {
        note.textContent = error.code === "unauthorized" ? t("key.not_valid") : inWords(error);
        input.select();
        return;
      }
      dialog.close();
      resume();
      if (!view?.isUnsaved) await show();
    }) },
    el("h2", { id: "key-title" }, t("key.title")), el("label", { for: "asked-key" }, t("key.ask")), input, note,
    el("p", { class: "quiet" }, t("key.made_by"), " ", el("code", {}, "ocr keys create --role client"), " ", t("key.stays")),
    el("button", { class: "primary" }, t("key.use"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
