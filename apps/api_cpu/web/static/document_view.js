// One document: its pages beside its fields, tables and checks; corrections by keyboard, and on to the next.

import { ChecksPanel, reasonsInWords } from "/static/checks_panel.js";
import { documents, factsOf, hashOf } from "/static/documents.js";
import { exportMenu } from "/static/document_exports.js";
import { Draft, placed, SURE } from "/static/draft.js";
import { button, el, icon } from "/static/elements.js";
import { FieldList } from "/static/field_list.js";
import { nameOf, t } from "/static/language.js";
import { PageSource } from "/static/page_source.js";
import { PageViewer } from "/static/page_viewer.js";
import { taskOf } from "/static/tasks.js";
import { askPatiently, post } from "/static/server.js";
import { TableGrid } from "/static/table_grid.js";
import { problem, say } from "/static/notices.js";

/** The view of an extraction; `navigate(hash)` goes elsewhere. */
export class DocumentView {
  #navigate;
  #entry;
  #draft;
  #viewer;
  #source;
  #list;
  #grids = [];
  #active = null;
  #lit = [];
  #save;
  #hint;

  constructor(requestId, navigate) {
    this.requestId = requestId;
    this.#navigate = navigate;
    this.element = el("div", { class: "document" }, el("p", { class: "quiet", role: "status" }, t("document.loading")));
  }

  /** Fetch the extraction and show it. Throws ServerError. */
  async open() {
    const path = `/v1/extracts/${encodeURIComponent(this.requestId)}`;
    const [response, corrected] = await Promise.all([askPatiently(path), askPatiently(`${path}/corrections`)]);
    this.#entry = documents.of(this.requestId);
    documents.update(this.#entry, { facts: factsOf({ ...response, result: corrected.result }), needsReview: response.needs_review, inputRef: response.input_ref });
    this.#draft = new Draft(response, await taskOf(response.task_id), corrected);
    this.#source = new PageSource(this.requestId, this.#entry.file);
    this.#show(response);
  }

  get title() {
    return this.#entry?.name ?? this.requestId;
  }

  /** Keys that work anywhere in this view; true if the event was one of them. */
  key(event) {
    const act = this.#keys[keyName(event)];
    if (act) act.call(this);
    return Boolean(act);
  }

  /** Whether leaving would lose what was typed. */
  get isUnsaved() {
    return Boolean(this.#draft?.isChanged);
  }

  close() {
    this.#viewer?.close();
    this.#source?.close();
  }

  #keys = {
    "ctrl+Enter": () => this.#saveAndGoOn(),
    "ctrl+s": () => this.#saveChanges(),
    "alt+ArrowRight": () => this.#go(1),
    "alt+ArrowLeft": () => this.#go(-1),
    n: () => this.#go(1),
    p: () => this.#go(-1),
    "+": () => this.#viewer?.zoom(1),
    "-": () => this.#viewer?.zoom(-1),
    0: () => this.#viewer?.fit(),
    r: () => this.#viewer?.rotate(),
    "]": () => this.#viewer?.turnPage(1),
    "[": () => this.#viewer?.turnPage(-1),
    f: () => this.#list.focusNextOpen(this.#active?.name),
  };

  #show(response) {
    this.#list = new FieldList(this.#draft);
    this.#grids = this.#draft.tables.filter(({ rows, name }) => rows.length || name === "line_items")
      .map((table) => new TableGrid(this.#draft, table));
    const checks = new ChecksPanel(this.#draft);
    checks.addEventListener("pick", ({ detail }) => this.#pick([detail]));
    this.#save = button({ label: t("document.save"), class: "plain", onclick: () => this.#saveChanges() });
    const panel = el("div", { class: "panel" }, this.#verdict(response), duplicates(response), this.#list.element,
      this.#grids.map(({ element }) => element), checks.element, this.#facts(response));
    this.element.replaceChildren(this.#heading(), this.#pages(response), panel, this.#actions());
    this.#wire();
    this.#list.focusNextOpen(null);
  }

  #heading() {
    const read = documents.all.filter(({ status }) => status === "done");
    const at = read.indexOf(this.#entry) + 1;
    const { seller, number, amount } = this.#entry.facts;
    return el("header", { class: "document-head" },
      el("a", { class: "back", href: "#/", "aria-label": t("nav.documents") }, icon("back")),
      el("div", {}, el("h2", {}, [seller, number].filter(Boolean).join(" · ") || t("document.nothing_found")),
        el("p", { class: "quiet" }, [this.#entry.name, amount].filter(Boolean).join(" · "))),
      el("nav", { "aria-label": t("document.others") },
        button({ label: t("document.before"), sign: "left", shows: "icon", disabled: at <= 1, onclick: () => this.#go(-1) }),
        el("span", { class: "count" }, `${at} / ${read.length}`),
        button({ label: t("document.next"), sign: "right", shows: "icon", disabled: at >= read.length, onclick: () => this.#go(1) })));
  }

  #pages(response) {
    if (!response.pages.length) return el("section", { class: "viewer none" }, el("p", { class: "quiet" }, icon("xml"), t("page.none")));
    this.#viewer = new PageViewer(response.pages, this.#source);
    this.#viewer.setBoxes(this.#places());
    this.#hint = el("p", { class: "hint", "aria-live": "polite" });
    this.#viewer.element.append(this.#hint);
    return this.#viewer.element;
  }

  #verdict(response) {
    const reasons = reasonsInWords(response);
    const count = this.#draft.openCount;
    if (!response.needs_review) return el("p", { class: "verdict good" }, icon("sure"), count ? t("document.mostly_fine", { count }) : t("document.fine"));
    return el("div", { class: "verdict doubtful" }, icon("doubt"),
      el("div", {}, el("strong", {}, t("document.look")), el("ul", {}, reasons.map((reason) => el("li", {}, reason)))));
  }

  #facts({ document_type: kind, pages, timings_ms: timings, backend, task_id: task, request_id: id }) {
    const said = [t(`kind.${kind}`), pages.length ? t("document.pages", { count: pages.length }) : "", t("document.time", { seconds: (Number(timings.total) / 1000).toFixed(1) }), backend, task];
    return el("p", { class: "quiet facts" }, said.filter(Boolean).join(" · "), el("br"), el("code", {}, id));
  }

  #actions() {
    return el("footer", { class: "actions" },
      exportMenu({
        requestId: this.requestId, draft: this.#draft, name: this.#entry.name, save: () => this.#saveChanges(),
        others: [{ label: t("again.title"), act: () => this.#navigate(`#/again/${encodeURIComponent(this.requestId)}`) }],
      }),
      this.#save,
      button({ label: t("document.save_next"), class: "primary", onclick: () => this.#saveAndGoOn() }, el("kbd", {}, "Ctrl ↵")));
  }

  #wire() {
    for (const part of [this.#list, ...this.#grids]) part.addEventListener("point", ({ detail }) => this.#light(detail ? [detail] : []));
    this.#list.addEventListener("active", ({ detail }) => detail && this.#activate({ name: detail, take: (text, adds) => this.#list.take(detail, text, adds) }));
    this.#list.addEventListener("done", () => this.element.querySelector(".actions .primary").focus());
    this.#grids.forEach((grid) => grid.element.addEventListener("focusin", ({ target }) =>
      target.dataset.column && this.#activate({ name: target.dataset.field, label: nameOf(target.dataset.column), take: (text, adds) => grid.take(text, adds) })));
    this.#viewer?.addEventListener("point", ({ detail }) => this.#light(detail, false));
    this.#viewer?.addEventListener("pick", ({ detail }) => this.#pick(detail));
    this.#viewer?.addEventListener("take", ({ detail }) => this.#active?.take(detail.text, detail.adds));
    this.#draft.addEventListener("change", () => this.#refresh());
    this.#refresh();
  }

  #refresh() {
    this.#save.disabled = !this.#draft.isChanged;
    document.body.classList.toggle("unsaved", this.#draft.isChanged);
  }

  /** Boxes of all fields and cells that have a place. */
  #places() {
    const fields = this.#draft.fields.filter(({ polygon }) => polygon).map(({ name, page, polygon, grade }) => ({ name, page, polygon, grade }));
    const cells = Object.entries(this.#draft.response.fields).filter(([name, read]) => name.includes("[") && placed(read))
      .map(([name, read]) => ({ name, page: Number(read.page), polygon: placed(read), grade: Number(read.confidence) < SURE ? "doubt cell" : "sure cell" }));
    return [...fields, ...cells];
  }

  #light(names, isPlaceLit = true) {
    for (const [parts, isLit] of [[this.#lit, false], [names, true]]) {
      for (const name of parts) {
        this.#viewer?.light(name, isLit, { scrolls: false });
        for (const part of [this.#list, ...this.#grids]) part.light(name, isLit);
      }
    }
    this.#lit = names;
    if (!names.length && isPlaceLit && this.#active) this.#viewer?.light(this.#active.name, true);
  }

  #activate(active) {
    if (this.#active) this.#viewer?.light(this.#active.name, false);
    this.#active = active;
    if (!this.#viewer) return;
    this.#viewer.takesWords = true;
    this.#viewer.light(active.name, true, { scrolls: true });
    this.#hint.textContent = t("page.take", { name: active.label ?? nameOf(active.name) });
  }

  #pick(names) {
    const parts = [this.#list, ...this.#grids];
    names.some((name) => parts.some((part) => part.focus(name)));
  }

  async #saveChanges() {
    if (!this.#draft.isChanged) return true;
    if (!this.#draft.isFitting) {
      problem(t("document.not_fitting"));
      this.element.querySelector('[aria-invalid="true"]')?.focus();
      return false;
    }
    try {
      await post(`/v1/extracts/${encodeURIComponent(this.requestId)}/corrections`, { fields: this.#draft.corrections });
    } catch (error) {
      problem(error);
      return false;
    }
    this.#draft.saved();
    const result = Object.fromEntries(this.#draft.fields.map(({ name, kept }) => [name, kept]));
    documents.update(this.#entry, { isReviewed: true, facts: factsOf({ ...this.#draft.response, result }) });
    say(t("document.saved"));
    return true;
  }

  async #saveAndGoOn() {
    if (!(await this.#saveChanges())) return;
    documents.update(this.#entry, { isReviewed: true });
    const waiting = (entry) => entry.needsReview && !entry.isReviewed;
    const next = documents.neighbour(this.requestId, 1, waiting) ?? documents.neighbour(null, 1, waiting) ?? documents.neighbour(this.requestId, 1);
    if (next) this.#navigate(hashOf(next));
    else {
      say(t("document.last"));
      this.#navigate("#/");
    }
  }

  #go(step) {
    const next = documents.neighbour(this.requestId, step);
    if (next) this.#navigate(hashOf(next));
  }
}

/** Earlier documents that this one may be, each with a way to it. */
function duplicates({ duplicates: found = [] }) {
  if (!found.length) return "";
  return el("div", { class: "verdict doubtful" }, icon("doubt"), el("div", {}, el("strong", {}, t("duplicates.title")),
    el("ul", {}, found.map(({ request_id: requestId, reason }) => el("li", {}, t(`duplicates.${reason}`), " ",
      el("a", { href: hashOf({ requestId }) }, t("duplicates.open")))))));
}

function keyName({ key, ctrlKey, metaKey, altKey }) {
  return `${ctrlKey || metaKey ? "ctrl+" : ""}${altKey ? "alt+" : ""}${key}`;
}
