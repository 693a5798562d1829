// Runs: what is being read now, with its place in the queue, and the batches that have ended.

import { button, el, icon } from "/static/elements.js";
import { cancelJob, jobsNow, JOBS_EVERY_MS } from "/static/jobs.js";
import { duration, moment, t } from "/static/language.js";
import { shown } from "/static/notices.js";
import { askPatiently, fetchBlob } from "/static/server.js";
import { saveFile } from "/static/downloads.js";
import { taskName } from "/static/tasks.js";

const FORMATS = ["xlsx", "csv", "jsonl"];
const STATES = ["", "ok", "needs_review", "failed"];

/** The buttons that save a list of the server as a file; `path` gives its address, `name` the file's. */
export function exportButtons(path, name) {
  return FORMATS.map((format) => button({
    label: format.toUpperCase(), sign: "more", class: "small",
    onclick: shown(async () => saveFile(`${name}.${format}`, await fetchBlob(path(format)))),
  }));
}

/** A choice of how items ended and a text to look for; `act({status, q})` after each change. */
export function filterForm(act) {
  let timer;
  const state = { status: "", q: "" };
  const soon = () => { clearTimeout(timer); timer = setTimeout(() => act(state), 250); };
  return el("form", { class: "list-tools", role: "search", onsubmit: (event) => event.preventDefault() },
    el("select", { "aria-label": t("runs.status"), onchange: ({ target }) => { state.status = target.value; act(state); } },
      STATES.map((name) => el("option", { value: name }, t(`runs.status.${name || "any"}`)))),
    el("input", { type: "search", placeholder: t("inbox.search"), "aria-label": t("inbox.search"), oninput: ({ target }) => { state.q = target.value; soon(); } }));
}

/** `status` and `q` as a query, those that are chosen. */
export function queryOf(wanted) {
  return new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
}

export class RunsView {
  #jobs = el("section", { class: "card", "aria-label": t("jobs.title"), hidden: true });
  #list = el("div", { class: "rows" });
  #more = el("div", { class: "row" });
  #wanted = {};
  #asked = 0;
  #rows = new Map();
  #timer;

  constructor() {
    this.element = el("div", { class: "wide" }, el("h2", {}, t("nav.runs")), this.#jobs,
      el("div", { class: "row" }, filterForm(shown((wanted) => { this.#wanted = { ...wanted }; return this.#load(); })),
        el("span", { class: "spread" }), exportButtons((format) => `/v1/runs?${queryOf({ ...this.#wanted, format })}`, "runs")),
      this.#list, this.#more);
  }

  get title() {
    return t("nav.runs");
  }

  async open() {
    // Before anything is waited for: this view may be left meanwhile.
    this.#timer = setInterval(() => this.#showJobs().catch(() => {}), JOBS_EVERY_MS);
    await Promise.all([this.#load(), this.#showJobs()]);
  }

  key() {
    return false;
  }

  close() {
    clearInterval(this.#timer);
  }

  async #load(cursor = "") {
    const question = ++this.#asked;
    const { runs, next_cursor: next } = await askPatiently(`/v1/runs?${queryOf({ ...this.#wanted, cursor })}`);
    // Answers may overtake each other: only the last question counts.
    if (question !== this.#asked) return;
    const rows = runs.map(runRow);
    if (cursor) this.#list.append(...rows);
    else this.#list.replaceChildren(...(rows.length ? rows : [el("p", { class: "quiet" }, t("runs.none"))]));
    this.#more.replaceChildren(...(next ? [button({ label: t("runs.more"), onclick: shown(() => this.#load(next)) })] : []));
  }

  async #showJobs() {
    const jobs = await jobsNow();
    const wasBusy = !this.#jobs.hidden;
    this.#jobs.hidden = !jobs.length;
    this.#rows = new Map(jobs.map((job) => [job.job_id, this.#rows.get(job.job_id) ?? new JobRow(job)]));
    for (const job of jobs) this.#rows.get(job.job_id).show(job);
    replaceChanged(this.#jobs, [this.#jobs.querySelector("h3") ?? el("h3", {}, t("jobs.title")), ...[...this.#rows.values()].map(({ element }) => element)]);
    // What was running has ended, so it is a run now.
    if (wasBusy && !jobs.length) await this.#load();
  }
}

/**
 * A job: how far it is, its place in the queue, how long it will take, and a way to stop it. It stays the
 * same element while the job goes on, so that a click is not lost to news that come in its middle.
 */
export class JobRow {
  #said = el("span", { class: "quiet" });
  #progress;
  #stop;

  constructor(job) {
    this.#progress = el("progress", { "aria-label": job.run_id ?? job.job_id });
    this.#stop = button({ label: t("jobs.cancel"), class: "small", onclick: shown(() => cancelJob(job.job_id)) });
    this.element = el("div", { class: "job" }, el("div", {}, jobName(job), " ", this.#said), this.#progress, this.#stop);
    this.show(job);
  }

  /** How it is by now. */
  show(job) {
    const { total, done, failed, current, eta_s: eta } = job.progress;
    this.#said.textContent = job.status === "queued" ? (job.queue_position ? t("status.position", { position: job.queue_position }) : t("status.waiting"))
      : [t("jobs.done", { done, total }), eta && t("status.eta", { time: duration(Number(eta)) }), Number(failed) ? t("jobs.failed", { count: failed }) : "", current].filter(Boolean).join(" · ");
    this.#progress.max = Number(total);
    this.#progress.value = Number(done);
    if (job.cancel_requested) this.#stop.replaceWith(el("span", { class: "quiet" }, t("jobs.stopping")));
  }
}

/** Have these children, touching nothing where they are there already. */
function replaceChanged(place, children) {
  const isSame = place.childElementCount === children.length && children.every((child, at) => place.children[at] === child);
  if (!isSame) place.replaceChildren(...children);
}

function jobName({ run_id: runId, kind }) {
  return runId ? el("a", { href: `#/runs/${encodeURIComponent(runId)}` }, runId) : el("strong", {}, t(`jobs.kind.${kind}`));
}

function runRow(run) {
  return el("a", { class: "run", href: `#/runs/${encodeURIComponent(run.run_id)}` },
    el("span", { class: "whole" }, el("strong", {}, run.run_id), el("span", { class: "quiet" }, `${moment(run.created_at)} · ${taskName(run.task_id)}`)),
    ["queued", "running"].includes(run.status) ? el("span", { class: "quiet" }, t(`status.${run.status === "queued" ? "waiting" : "reading"}`)) : null,
    countsOf(run));
}

/** How many items of a run ended how. */
export function countsOf({ item_count: all, ok_count: ok, failed_count: failed, needs_review_count: open }) {
  const count = (kind, sign, number) => el("span", { class: `tally ${Number(number) ? kind : "quiet"}`, title: t(`runs.count.${kind}`) },
    icon(sign), el("span", { class: "unseen" }, t(`runs.count.${kind}`)), number);
  return el("span", { class: "tallies" }, el("span", { class: "quiet" }, t("runs.items", { count: all })),
    count("good", "sure", ok - open), count("doubt", "doubt", open), count("bad", "bad", failed));
}
