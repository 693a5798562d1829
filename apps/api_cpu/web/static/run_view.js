// One run: its numbers and items, filtered; read again what failed, saved as a table, evaluated.

import { documents, factsOf, hashOf } from "/static/documents.js";
import { button, el, icon } from "/static/elements.js";
import { jobEnded, jobEvents, jobOfRun } from "/static/jobs.js";
import { moment, t } from "/static/language.js";
import { inWords, say, shown } from "/static/notices.js";
import { countsOf, exportButtons, filterForm, JobRow, queryOf } from "/static/runs_view.js";
import { askPatiently, post, ServerError } from "/static/server.js";
import { session } from "/static/session.js";
import { allTasks, taskName } from "/static/tasks.js";

export class RunView {
  #run;
  #navigate;
  #wanted = {};
  #list = el("ul", { class: "documents" });
  #head = el("header", { class: "row" });
  #job = el("div", {});
  #jobRow = null;
  #items = [];
  #asked = 0;
  #leaving = new AbortController();
  #more = el("div", { class: "row" });
  #tools = el("div", {});

  constructor(runId, navigate) {
    this.runId = runId;
    this.#navigate = navigate;
    this.element = el("div", { class: "wide" });
  }

  get title() {
    return this.runId;
  }

  async open() {
    const [job, tasks] = await Promise.all([jobOfRun(this.runId), allTasks()]);
    const path = `/v1/runs/${encodeURIComponent(this.runId)}/items`;
    this.element.replaceChildren(this.#head, this.#job,
      el("div", { class: "row" }, filterForm(shown((wanted) => { this.#wanted = { ...wanted }; return this.#load(); })),
        el("span", { class: "spread" }), exportButtons((format) => `${path}?${queryOf({ ...this.#wanted, format })}`, this.runId)),
      this.#list, this.#more, this.#tools);
    if (job) shown(() => this.#follow(job, tasks))();
    else await this.#ended(tasks);
  }

  key() {
    return false;
  }

  close() {
    this.#leaving.abort();
  }

  /** While the run goes on: its job, and each item as it ends. */
  async #follow(running, tasks) {
    this.#showHead({ created_at: running.created_at, task_id: running.task_id });
    this.#showJob(running);
    this.#list.replaceChildren();
    try {
      for await (const { event, data } of jobEvents(running.job_id, this.#leaving.signal)) {
        if (event === "item") this.#list.prepend(this.#row(data));
        else this.#showJob(data);
      }
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      // Where there is no stream to be had, the job is looked at again and again.
      await jobEnded(running.job_id, (job) => this.#showJob(job));
    }
    this.#job.replaceChildren();
    await this.#ended(tasks);
  }

  async #ended(tasks) {
    this.#run = await askPatiently(`/v1/runs/${encodeURIComponent(this.runId)}`);
    this.#showHead(this.#run, countsOf(this.#run));
    this.#tools.replaceChildren(this.#again(tasks));
    await this.#load();
  }

  #showHead({ created_at: created, task_id: task }, counts = null) {
    this.#head.replaceChildren(el("a", { class: "back", href: "#/runs", "aria-label": t("nav.runs") }, icon("back")),
      el("div", {}, el("h2", {}, this.runId), el("p", { class: "quiet" }, `${moment(created)} · ${taskName(task)}`)),
      el("span", { class: "spread" }), counts ?? "");
  }

  #showJob(job) {
    if (this.#jobRow) return this.#jobRow.show(job);
    this.#jobRow = new JobRow(job);
    this.#job.replaceChildren(el("section", { class: "card", "aria-label": t("jobs.title") }, this.#jobRow.element));
  }

  async #load(cursor = "") {
    const question = ++this.#asked;
    const { items, next_cursor: next } = await askPatiently(`/v1/runs/${encodeURIComponent(this.runId)}/items?${queryOf({ ...this.#wanted, cursor })}`);
    // Answers may overtake each other: only the last question counts.
    if (question !== this.#asked) return;
    this.#items = cursor ? [...this.#items, ...items] : items;
    const rows = items.map((item) => this.#row(item));
    if (cursor) this.#list.append(...rows);
    else this.#list.replaceChildren(...(rows.length ? rows : [el("li", {}, t("runs.no_items"))]));
    this.#more.replaceChildren(...(next ? [button({ label: t("runs.more"), onclick: shown(() => this.#load(next)) })] : []));
  }

  #row(item) {
    const state = !item.ok ? "failed" : item.needs_review ? "open" : "fine";
    const { seller, number, day, amount } = item.ok ? factsOf(item) : {};
    const about = item.ok
      ? el("a", { class: "whole", href: hashOf({ requestId: item.request_id }), onclick: () => this.#remember(item) }, el("strong", {}, seller || item.file),
        el("span", { class: "quiet" }, [number, day, item.file].filter(Boolean).join(" · ")))
      : el("span", { class: "whole" }, el("strong", {}, item.file), el("span", { class: "quiet" }, inWords(item.error ?? {})));
    return el("li", { class: state }, icon({ fine: "sure", open: "doubt", failed: "bad" }[state]), about,
      amount ? el("span", { class: "amount" }, amount) : null, el("span", { class: "status" }, t(`status.${state}`)));
  }

  /** The items listed become this tab's documents, so that one key leads from each to the next. */
  #remember(opened) {
    const items = this.#items.some(({ request_id: id }) => id === opened.request_id) ? this.#items : [opened];
    for (const item of items.filter(({ ok }) => ok)) {
      const entry = documents.of(item.request_id, item.file);
      documents.update(entry, { name: item.file, facts: factsOf(item), needsReview: item.needs_review, inputRef: item.input_ref });
    }
  }

  #again(tasks) {
    const only = el("select", { id: "only" }, ["failed", "needs_review", "all"].map((name) => el("option", { value: name }, t(`runs.only.${name}`))));
    only.value = Number(this.#run.failed_count) ? "failed" : "all";
    const task = el("select", { id: "rerun-task" }, tasks.map(({ id }) => el("option", { value: id }, taskName(id))));
    task.value = this.#run.task_id;
    const start = shown(async (event) => {
      event.preventDefault();
      await post("/v1/batch_extract_rerun_async", { run_id: this.runId, only: only.value, task_id: task.value });
      say(t("runs.started"));
      this.#navigate("#/runs");
    });
    return el("section", { class: "card", "aria-label": t("runs.again") }, el("h3", {}, t("runs.again")),
      el("form", { class: "row", onsubmit: start }, el("label", {}, t("runs.which"), " ", only), el("label", {}, t("again.task"), " ", task), el("button", {}, t("again.read"))),
      session.may("debug:run") ? el("p", {}, el("a", { href: `#/quality/run/${encodeURIComponent(this.runId)}` }, t("runs.evaluate"))) : null);
  }
}
