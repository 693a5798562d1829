// The same document read again, by another task or model, beside the first reading: what differs first.

import { documents, factsOf, hashOf } from "/static/documents.js";
import { button, el, icon } from "/static/elements.js";
import { nameOf, percent, t } from "/static/language.js";
import { shown } from "/static/notices.js";
import { askPatiently, post, upload } from "/static/server.js";
import { session } from "/static/session.js";
import { allTasks, taskName } from "/static/tasks.js";

export class AgainView {
  #first;
  #entry;
  #table = el("div", { class: "comparison" });

  constructor(requestId) {
    this.requestId = requestId;
    this.element = el("div", { class: "again" });
  }

  get title() {
    return t("again.title");
  }

  /** Fetch the first reading and ask what the second one is to be. Throws ServerError. */
  async open() {
    this.#first = await askPatiently(`/v1/extracts/${encodeURIComponent(this.requestId)}`);
    this.#entry = documents.of(this.requestId);
    const tasks = await allTasks();
    const task = el("select", { id: "again-task" }, tasks.map(({ id }) => el("option", { value: id }, taskName(id))));
    task.value = tasks.find(({ id }) => id !== this.#first.task_id && id !== "auto")?.id ?? this.#first.task_id;
    const model = el("input", { id: "again-model", placeholder: this.#first.model, autocomplete: "off" });
    const form = el("form", { class: "row form", onsubmit: shown(async (event) => {
      event.preventDefault();
      await this.#read(task.value, model.value.trim());
    }) },
    el("label", {}, t("again.task"), " ", task),
    session.may("debug:run") ? el("label", {}, t("again.model"), " ", model) : null,
    el("button", { class: "primary" }, t("again.read")));
    this.element.replaceChildren(
      el("header", { class: "document-head" }, el("a", { class: "back", href: hashOf({ requestId: this.requestId }), "aria-label": t("again.back") }, icon("back")),
        el("div", {}, el("h2", {}, t("again.title")), el("p", { class: "quiet" }, this.#entry.name))),
      this.#first.input_ref || this.#entry.file ? form : el("p", { class: "verdict doubtful" }, icon("doubt"), t("again.not_kept")),
      this.#table);
  }

  key() {
    return false;
  }

  close() {}

  async #read(task, model) {
    this.#table.replaceChildren(el("p", { role: "status" }, t("status.reading")), el("progress", { "aria-label": t("status.reading") }));
    try {
      this.#compare(await this.#ask(task, model));
    } catch (error) {
      this.#table.replaceChildren();
      throw error;
    }
  }

  async #ask(task, model) {
    const debug = model ? { debug: { model } } : {};
    if (this.#first.input_ref) return post("/v1/extract", { image_ref: this.#first.input_ref, task_id: task, ...debug });
    const form = new FormData();
    form.append("file", this.#entry.file, this.#entry.name);
    form.append("task_id", task);
    if (model) form.append("debug", JSON.stringify(debug.debug));
    return (await upload("/v1/extract", form)).body;
  }

  #compare(second) {
    const entry = documents.of(second.request_id, this.#entry.name);
    documents.update(entry, { facts: factsOf(second), needsReview: second.needs_review, inputRef: second.input_ref ?? this.#first.input_ref, taskId: second.task_id, file: this.#entry.file });
    const lines = differences(this.#first, second);
    const changed = lines.filter(({ isSame }) => !isSame);
    const head = el("tr", {}, el("th", { scope: "col" }, t("again.field")),
      [this.#first, second].map(({ task_id: task, model }) => el("th", { scope: "col" }, `${taskName(task)}, ${model}`)));
    this.#table.replaceChildren(
      el("p", { class: `verdict ${changed.length ? "doubtful" : "good"}`, role: "status" }, icon(changed.length ? "doubt" : "sure"),
        t("again.differs", { count: changed.length })),
      el("div", { class: "scroll" }, el("table", { class: "sides" }, el("thead", {}, head),
        el("tbody", {}, changed.map(line)),
        el("tbody", { class: "same" }, lines.filter(({ isSame }) => isSame).map(line)))),
      el("p", { class: "row" },
        el("a", { class: "button", href: hashOf({ requestId: this.requestId }) }, t("again.keep_first")),
        el("a", { class: "button primary", href: hashOf(entry) }, t("again.use_second"))));
  }
}

/** Each field and cell of two answers: `{name, one, other, isSame}`, in the order of the first. */
export function differences(first, second) {
  const names = [...new Set([...Object.keys(first.fields), ...Object.keys(second.fields)])];
  return names.map((name) => {
    const [one, other] = [first.fields[name], second.fields[name]];
    return { name, one, other, isSame: (one?.value ?? null) === (other?.value ?? null) };
  });
}

function line({ name, one, other, isSame }) {
  return el("tr", { class: isSame ? "" : "differs" }, el("th", { scope: "row" }, cellName(name)), side(one), side(other));
}

function side(field) {
  if (!field || field.value === null) return el("td", { class: "quiet" }, "–");
  return el("td", {}, field.value, " ", el("small", { class: "quiet" }, percent(Number(field.confidence))));
}

/** `line_items[0].amount` as `Items 1: Amount`. */
function cellName(name) {
  const [, table, row, column] = /^(\w+)\[(\d+)\]\.(\w+)$/.exec(name) ?? [];
  return table ? `${nameOf(table)} ${Number(row) + 1}: ${nameOf(column)}` : nameOf(name);
}
