// Quality: a run measured against the truth or against what people corrected, as a report.

import { el, icon } from "/static/elements.js";
import { parseExact } from "/static/exact_json.js";
import { moment, nameOf, percent, t } from "/static/language.js";
import { shown } from "/static/notices.js";
import { exactScore, mistakesOf, reliabilityChart } from "/static/quality_report.js";
import { askPatiently, post } from "/static/server.js";

export class QualityView {
  #navigate;
  #evalId;
  #report = el("div", { class: "report" });
  #runs = el("select", { id: "eval-run", required: true });
  #how = el("p", { class: "quiet" }, t("quality.how"));
  #chosen;

  /** Of an evaluation that exists, or a form for one, with `runId` chosen. */
  constructor(navigate, { evalId = null, runId = null } = {}) {
    this.#navigate = navigate;
    this.#evalId = evalId;
    this.#chosen = runId;
    this.element = el("div", { class: "wide" }, el("h2", {}, t("nav.evals")), this.#form(), this.#report);
  }

  get title() {
    return t("nav.evals");
  }

  async open() {
    const { runs } = await askPatiently("/v1/runs?limit=100");
    this.#runs.append(...runs.map(({ run_id: id, item_count: count }) => el("option", { value: id }, `${id} (${count})`)));
    if (!runs.length) this.#how.textContent = t("runs.none");
    if (this.#chosen) this.#runs.value = this.#chosen;
    if (this.#evalId) this.#show(await askPatiently(`/v1/evals/${encodeURIComponent(this.#evalId)}`));
  }

  key() {
    return false;
  }

  close() {}

  #form() {
    const truth = el("input", { type: "file", id: "truth", accept: ".jsonl,.json" });
    const known = el("input", { id: "eval-id", autocomplete: "off", value: this.#evalId ?? "" });
    return el("section", { class: "card", "aria-label": t("quality.new") },
      el("form", { class: "row", onsubmit: shown(async (event) => {
        event.preventDefault();
        const lines = truth.files.length ? (await truth.files[0].text()).split("\n").filter((line) => line.trim()) : null;
        const made = await post("/v1/evals", { run_id: this.#runs.value, ...(lines && { truth: lines.map(parseExact) }) });
        this.#navigate(`#/quality/${encodeURIComponent(made.eval_id)}`);
      }) },
      el("label", {}, t("quality.run"), " ", this.#runs), el("label", {}, t("quality.truth"), " ", truth), el("button", { class: "primary" }, t("quality.measure"))),
      this.#how,
      el("form", { class: "row", onsubmit: (event) => { event.preventDefault(); this.#navigate(`#/quality/${encodeURIComponent(known.value.trim())}`); } },
        el("label", {}, t("quality.known"), " ", known), el("button", {}, t("quality.open"))));
  }

  #show(found) {
    const { micro, fields, line_items: items, confidence } = found;
    const rows = [[t("quality.all"), micro], ...Object.entries(fields).map(([name, score]) => [nameOf(name), score]),
      ...(items ? [[nameOf("line_items"), items.rows], ...Object.entries(items.columns).map(([name, score]) => [`${nameOf("line_items")}: ${nameOf(name)}`, score])] : [])];
    const head = ["quality.field", "quality.judged", "quality.correct", "quality.precision", "quality.recall", "quality.f1", "quality.relaxed"];
    this.#report.replaceChildren(
      el("section", { class: "card" },
        el("h3", {}, found.run_id ?? found.eval_id), el("p", { class: "quiet" }, `${moment(found.created_at)} · ${t("runs.items", { count: found.documents })} · ${t("jobs.failed", { count: found.failed })}`, el("br"), el("code", {}, found.eval_id)),
        el("p", { class: "big" }, exactScore(micro, "f1"), " ", el("span", { class: "quiet" }, t("quality.f1_of_all"))),
        el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": t("quality.scores") }, el("table", { class: "sides" }, el("thead", {}, el("tr", {}, head.map((name, at) => el("th", { scope: "col", class: at ? "number" : "" }, t(name))))),
          el("tbody", {}, rows.map(([name, score]) => scoreRow(name, score)))))),
      this.#confidence(confidence.exact),
      this.#mistakes(found.items));
  }

  #confidence(found) {
    if (!found) return "";
    return el("section", { class: "card" }, el("h3", {}, t("quality.confidence")),
      el("ul", {}, found.coverage.filter(({ coverage }) => coverage !== null).map(({ threshold, coverage, precision }) =>
        el("li", {}, t("quality.coverage", { threshold: percent(threshold), share: percent(coverage), right: precision === null ? "–" : percent(precision) })))),
      reliabilityChart(found.reliability));
  }

  #mistakes(items) {
    const wrong = mistakesOf(items);
    return el("section", { class: "card" }, el("h3", {}, t("quality.mistakes", { count: wrong.length })),
      wrong.length ? el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": t("quality.mistakes", { count: wrong.length }) }, el("table", { class: "sides" },
        el("thead", {}, el("tr", {}, ["quality.document", "quality.field", "quality.is", "quality.was"].map((name) => el("th", { scope: "col" }, t(name))))),
        el("tbody", {}, wrong.map(({ file, field, truth, answer, relaxed }) => el("tr", {}, el("td", {}, file), el("td", {}, nameOf(field)),
          el("td", {}, truth), el("td", {}, answer, relaxed ? el("small", { class: "quiet" }, " ", t("quality.nearly")) : null)))))) : icon("sure"));
  }
}

function scoreRow(name, score) {
  const cell = (text) => el("td", { class: "number" }, text);
  return el("tr", {}, el("th", { scope: "row" }, name), cell(score.exact.judged), cell(score.exact.correct),
    ["precision", "recall", "f1"].map((measure) => cell(exactScore(score, measure))), cell(exactScore({ exact: score.relaxed }, "f1")));
}
