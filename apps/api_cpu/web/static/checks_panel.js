// The checks across fields with their arithmetic: as the server found them, and as they stand while one types.

import { el, icon } from "/static/elements.js";
import { knows, nameOf, t } from "/static/language.js";
import { sumsOf } from "/static/sums.js";

const ORDER = { failed: 0, passed: 1, skipped: 2 };
const SIGNS = { failed: "bad", passed: "sure", skipped: "none" };

/** Announces `pick` with the name of a check's first field. */
export class ChecksPanel extends EventTarget {
  #draft;
  #live = el("ul", { class: "checks live" });
  #liveTitle = el("h4", {}, t("checks.now"));
  #servedTitle = el("h4", {}, t("checks.as_read"));
  #served;

  constructor(draft) {
    super();
    this.#draft = draft;
    const checks = [...draft.response.checks].sort((one, other) => ORDER[one.status] - ORDER[other.status]);
    const done = checks.filter(({ status }) => status !== "skipped");
    const skipped = checks.filter(({ status }) => status === "skipped");
    this.#served = el("ul", { class: "checks" }, done.map((check) => this.#item(check)));
    this.element = el("section", { class: "part", "aria-label": t("checks.title") },
      el("header", {}, el("h3", {}, t("checks.title"))),
      this.#liveTitle, this.#live,
      this.#servedTitle, this.#served,
      skipped.length ? el("details", {}, el("summary", {}, t("checks.skipped", { count: skipped.length })),
        el("ul", { class: "checks" }, skipped.map((check) => this.#item(check)))) : null,
      notes(draft.response));
    draft.addEventListener("change", () => this.#refresh());
    this.#refresh();
  }

  #refresh() {
    const sums = this.#draft.isChanged ? sumsOf(this.#draft) : [];
    for (const part of [this.#liveTitle, this.#live, this.#servedTitle]) part.hidden = !sums.length;
    this.#live.replaceChildren(...sums.map(({ rule, message, holds, field, gap }) => this.#item({
      rule, status: holds ? "passed" : "failed", fields: [field], message: holds ? message : `${message} (${gap})`,
    })));
  }

  #item({ rule, status, fields, message }) {
    return el("li", { class: status },
      icon(SIGNS[status]),
      el("button", { type: "button", class: "plain", onclick: () => this.dispatchEvent(new CustomEvent("pick", { detail: fields[0] })) }, ruleName(rule)),
      el("span", { class: "unseen" }, t(`check.${status}`)),
      el("span", { class: "arithmetic" }, message));
  }
}

/** A rule in words: ours, or its own name's. */
export function ruleName(rule) {
  return knows(`rule.${rule}`) ? t(`rule.${rule}`) : nameOf(rule);
}

/** The server's reasons to look at a document, as sentences. */
export function reasonsInWords({ review_reasons: reasons }) {
  return reasons.map((reason) => {
    const [kind, ...rest] = reason.split(":");
    const name = rest.join(":");
    const said = kind.startsWith("ambiguous") ? "ambiguous" : kind;
    if (!knows(`reason.${said}`)) return reason;
    return t(`reason.${said}`, { name: kind === "check_failed" ? ruleName(name) : nameOf(name) });
  });
}

function notes({ warnings, schema_errors: errors }) {
  const told = warnings.filter((warning) => !warning.startsWith("duplicate:"));
  const texts = [...told, ...(errors ?? [])].map((warning) => {
    const [, kind, name, text] = /^(\w+):(\w+): (.+)$/.exec(warning) ?? [];
    return kind ? `${nameOf(name)}: ${text}` : warning;
  });
  return texts.length ? el("ul", { class: "notes" }, texts.map((text) => el("li", {}, text))) : null;
}
