// The first view: where documents come in, and how far each of them is.

import { documents, hashOf } from "/static/documents.js";
import { button, el, icon } from "/static/elements.js";
import { ACCEPTED, readable } from "/static/intake.js";
import { duration, t } from "/static/language.js";
import { inWords, shown } from "/static/notices.js";
import { preferences } from "/static/preferences.js";
import { cancel, retry } from "/static/reading.js";
import { allTasks, taskName } from "/static/tasks.js";

const BUSY = new Set(["waiting", "sending", "reading"]);
const FILTERS = {
  all: () => true,
  open: (entry) => entry.status === "done" && entry.needsReview && !entry.isReviewed,
  failed: (entry) => entry.status === "failed",
};

export class InboxView {
  #rows = new Map();
  #list = el("ul", { class: "documents" });
  #tools = el("div", { class: "list-tools" });
  #filter = "all";
  #text = "";
  #search;
  #take;
  #refresh = ({ detail }) => this.#changed(detail);

  /** `take(files)` has files read. */
  constructor(take) {
    this.#take = take;
    this.#search = el("input", {
      type: "search", "aria-label": t("inbox.search"), placeholder: t("inbox.search"),
      oninput: ({ target }) => { this.#text = target.value.toLowerCase(); this.#show(); },
    });
    this.element = el("div", { class: "inbox" }, this.#drop(), this.#tools, this.#list);
    documents.addEventListener("change", this.#refresh);
    this.#show();
  }

  get title() {
    return t("nav.documents");
  }

  async open() {
    const choice = this.element.querySelector("#task");
    for (const { id } of await allTasks()) {
      if (id !== "auto") choice.append(el("option", { value: id }, taskName(id)));
    }
    choice.value = preferences.get("task");
    if (choice.value === "") choice.value = "auto";
  }

  key() {
    return false;
  }

  close() {
    documents.removeEventListener("change", this.#refresh);
  }

  #drop() {
    const pick = (attributes, label, sign) => {
      const input = el("input", { type: "file", class: "unseen", tabindex: "-1", "aria-hidden": "true", ...attributes,
        onchange: () => { this.#take(attributes.webkitdirectory ? readable(input.files) : [...input.files]); input.value = ""; } });
      return [input, button({ label, sign, class: attributes.class ?? "", onclick: () => input.click() })];
    };
    return el("section", { class: "drop", "aria-label": t("inbox.title") },
      icon("drop"), el("h2", {}, t("inbox.title")), el("p", { class: "quiet" }, t("inbox.kinds")),
      el("div", { class: "row" },
        pick({ multiple: true, accept: ACCEPTED, id: "files" }, t("inbox.choose"), "file"),
        pick({ webkitdirectory: true, id: "folder" }, t("inbox.folder"), "folder"),
        pick({ accept: "image/*", capture: "environment", id: "camera" }, t("inbox.camera"), "camera")),
      el("p", { class: "row options" },
        el("label", {}, t("inbox.task"), " ", el("select", { id: "task", onchange: ({ target }) => preferences.set("task", target.value) },
          el("option", { value: "auto" }, taskName("auto")))),
        el("label", {}, el("input", { type: "checkbox", checked: preferences.get("keeps"), onchange: ({ target }) => preferences.set("keeps", target.checked) }), " ", t("inbox.keeps"))));
  }

  #changed(entry) {
    const row = entry && this.#rows.get(entry);
    // What shows a share of the upload many times a second is one row, not the list.
    if (row && row.dataset.status === entry.status && BUSY.has(entry.status)) fill(row, entry);
    else this.#show();
  }

  #show() {
    const all = documents.all;
    this.element.classList.toggle("empty", !all.length);
    this.#showTools(all);
    this.#rows.clear();
    const wanted = all.filter(FILTERS[this.#filter]).filter((entry) => textOf(entry).includes(this.#text)).reverse();
    this.#list.replaceChildren(...wanted.map((entry) => {
      const row = el("li", {});
      this.#rows.set(entry, row);
      fill(row, entry);
      return row;
    }));
  }

  #showTools(all) {
    if (!all.length) return this.#tools.replaceChildren();
    const tabs = Object.entries(FILTERS).map(([name, isWanted]) => el("button", {
      type: "button", class: "tab", "aria-pressed": String(this.#filter === name),
      onclick: () => { this.#filter = name; this.#show(); },
    }, t(`inbox.filter.${name}`), el("span", { class: "badge" }, all.filter(isWanted).length)));
    const held = document.activeElement === this.#search;
    this.#tools.replaceChildren(...tabs, this.#search, button({ label: t("inbox.clear"), class: "plain", onclick: () => documents.clear() }));
    if (held) this.#search.focus();
  }
}

function fill(row, entry) {
  row.dataset.status = entry.status;
  row.className = stateOf(entry);
  const { seller, number, day, amount } = entry.facts ?? {};
  const about = entry.status === "done"
    ? el("a", { href: hashOf(entry), class: "whole" }, el("strong", {}, seller || entry.name), el("span", { class: "quiet" }, [number, day, seller ? entry.name : ""].filter(Boolean).join(" · ")))
    : el("span", { class: "whole" }, el("strong", {}, entry.name), el("span", { class: "quiet" }, told(entry)));
  const isBusy = BUSY.has(entry.status);
  row.replaceChildren(...[
    icon(signOf(entry)), about,
    amount && el("span", { class: "amount" }, amount),
    el("span", { class: "status" }, t(`status.${stateOf(entry)}`)),
    entry.status === "failed" && entry.file && button({ label: t("inbox.retry"), class: "small", onclick: () => retry(entry) }),
    !isBusy && button({ label: t("inbox.remove", { name: entry.name }), sign: "cross", shows: "icon", class: "plain", onclick: () => documents.remove(entry) }),
    isBusy && button({ label: t("inbox.cancel", { name: entry.name }), sign: "cross", shows: "icon", class: "plain", onclick: shown(() => cancel(entry)) }),
    isBusy && el("progress", { "aria-label": t(`status.${entry.status}`), ...(entry.status === "sending" && { max: 1, value: entry.share ?? 0 }) }),
  ].filter(Boolean));
}

function told({ status, error, queue }) {
  if (status === "failed") return inWords(error ?? {});
  if (queue?.position) return t("status.position", { position: queue.position });
  return queue?.eta ? t("status.eta", { time: duration(Number(queue.eta)) }) : "";
}

function stateOf({ status, needsReview, isReviewed }) {
  if (status !== "done") return status;
  if (isReviewed) return "reviewed";
  return needsReview ? "open" : "fine";
}

function signOf(entry) {
  return { fine: "sure", reviewed: "sure", open: "doubt", failed: "bad", canceled: "none" }[stateOf(entry)] ?? "busy";
}

const textOf = ({ name, facts = {} }) => [name, ...Object.values(facts)].join(" ").toLowerCase();
