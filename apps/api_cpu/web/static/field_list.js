// The fields of a document as a form: doubtful ones first, each with how sure it is and what else it may be.

import { isOpen } from "/static/draft.js";
import { button, el, icon } from "/static/elements.js";
import { nameOf, percent, t } from "/static/language.js";

const SIGNS = { sure: "sure", doubt: "doubt", bad: "bad", none: "none" };

/**
 * Announces `point` (detail: name, or null), `active` (the field that has the focus) and `done`
 * (Enter in the last doubtful field).
 */
export class FieldList extends EventTarget {
  #draft;
  #rows = new Map();
  #heads;

  constructor(draft) {
    super();
    this.#draft = draft;
    const doubtful = draft.doubtful;
    const sure = draft.fields.filter(({ grade }) => grade === "sure");
    const absent = draft.fields.filter(({ grade }) => grade === "none");
    this.element = el("div", { class: "fields" },
      this.#doubtfulPart(doubtful),
      sure.length ? this.#part("sure", t("fields.sure"), sure) : null,
      absent.length ? el("details", { class: "part", "data-part": "none", open: absent.some(({ kept }) => kept !== null) },
        el("summary", {}, t("fields.absent", { count: absent.length })), absent.map((field) => this.#row(field))) : null);
    this.element.addEventListener("mouseover", (event) => this.#announce("point", nameAt(event)));
    this.element.addEventListener("mouseleave", () => this.#announce("point", null));
    this.element.addEventListener("focusin", (event) => this.#announce("active", nameAt(event)));
    draft.addEventListener("change", (event) => this.#refresh(event.detail?.name));
  }

  /** Light the row of a field, or put it out. */
  light(name, isLit) {
    this.#rows.get(name)?.element.classList.toggle("lit", isLit);
  }

  /** Put the cursor into a field; false where there is no such field. */
  focus(name) {
    const row = this.#rows.get(name);
    row?.element.closest("details")?.setAttribute("open", "");
    row?.input.focus();
    // Backward, so that a long text shows its beginning.
    row?.input.setSelectionRange(0, row.input.value.length, "backward");
    return Boolean(row);
  }

  /** The first doubtful field that waits, from the one after `name`; focuses nothing if none waits. */
  focusNextOpen(name) {
    const doubtful = this.#draft.doubtful;
    const at = doubtful.findIndex((field) => field.name === name);
    const next = [...doubtful.slice(at + 1), ...doubtful.slice(0, at + 1)].find((field) => isOpen(field) && field.name !== name);
    return next ? this.focus(next.name) : false;
  }

  /** Put words of the page into a field, behind what is there if `adds`. */
  take(name, text, adds) {
    const field = this.#draft.field(name);
    this.#draft.setText(name, adds && field.text ? `${field.text} ${text}` : text);
    const { value, problem } = field;
    if (!problem && value != null) this.#draft.setText(name, value);
    this.#rows.get(name).input.value = field.text;
  }

  #doubtfulPart(doubtful) {
    if (!doubtful.length) return null;
    this.#heads = el("span", { class: "left" });
    const part = this.#part("doubtful", t("fields.doubtful"), doubtful, this.#heads,
      button({ label: t("fields.confirm_all"), class: "small", onclick: () => doubtful.forEach(({ name }) => this.#draft.confirm(name)) }));
    this.#showLeft();
    return part;
  }

  #part(name, title, fields, ...more) {
    return el("section", { class: "part", "data-part": name, "aria-label": title },
      el("header", {}, el("h3", {}, title), more), fields.map((field) => this.#row(field)));
  }

  #row(field) {
    const id = `field-${field.name}`;
    const input = el("input", {
      id, value: field.text, autocomplete: "off", spellcheck: "false",
      "aria-describedby": `${id}-note`, placeholder: field.grade === "none" ? t("fields.not_on_document") : "",
      inputmode: ["money", "number", "percent"].includes(field.type) ? "decimal" : "text",
      oninput: () => this.#draft.setText(field.name, input.value),
      onkeydown: (event) => this.#key(event, field),
    });
    const row = {
      input,
      note: el("p", { id: `${id}-note`, class: "note" }),
      state: el("span", { class: "state" }),
      choices: el("div", { class: "choices" }),
      element: el("div", { class: "field", "data-field": field.name }),
    };
    row.element.append(el("label", { for: id }, nameOf(field.name)), input, row.state, row.choices, row.note);
    this.#rows.set(field.name, row);
    this.#show(field);
    return row.element;
  }

  #key(event, field) {
    const choices = choicesOf(field);
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
    if (event.altKey && digit && choices[digit - 1]) this.#choose(field, choices[digit - 1].value);
    else if (event.key === "Escape") this.#choose(field, field.kept ?? "", () => this.#draft.restore(field.name));
    else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      this.#draft.confirm(field.name);
      if (!this.focusNextOpen(field.name)) this.dispatchEvent(new Event("done"));
    } else return;
    event.preventDefault();
  }

  #choose(field, text, act = () => this.#draft.setText(field.name, text)) {
    act();
    this.#rows.get(field.name).input.value = field.text;
  }

  #refresh(name) {
    if (name) {
      if (this.#rows.has(name)) this.#show(this.#draft.field(name));
    } else {
      this.#draft.fields.forEach((field) => this.#show(field));
    }
    this.#showLeft();
  }

  #showLeft() {
    if (!this.#heads) return;
    const count = this.#draft.openCount;
    this.#heads.textContent = count ? t("fields.left", { count }) : t("fields.none_left");
  }

  #show(field) {
    const row = this.#rows.get(field.name);
    const { element, input, state, note, choices } = row;
    if (document.activeElement !== input) input.value = field.text;
    const stands = standing(field);
    if (element.dataset.state === stands && element.dataset.text === field.text) return;
    Object.assign(element.dataset, { state: stands, text: field.text });
    input.setAttribute("aria-invalid", String(Boolean(field.problem)));
    state.replaceChildren(...stateOf(field, stands));
    note.textContent = noteOf(field);
    note.classList.toggle("bad", Boolean(field.problem));
    choices.replaceChildren(...choicesOf(field).map(({ value, confidence, evidence }, index) => {
      const isChosen = value === field.text;
      return el("button", {
        type: "button", tabindex: "-1", class: "choice", "aria-pressed": String(isChosen), title: evidence ?? "",
        onclick: () => { this.#choose(field, value); input.focus(); },
      }, el("kbd", {}, `${index + 1}`), value, confidence == null ? null : el("small", {}, percent(confidence)));
    }));
  }

  #announce(type, name) {
    this.dispatchEvent(new CustomEvent(type, { detail: name }));
  }
}

function nameAt(event) {
  return event.target.closest("[data-field]")?.dataset.field ?? null;
}

/** edited, confirmed, kept, or how sure the reading is. */
function standing(field) {
  if (field.problem) return "wrong";
  if (field.isEdited) return "edited";
  if (field.isConfirmed) return "confirmed";
  return field.isKept ? "kept" : field.grade;
}

function stateOf(field, stands) {
  if (stands in SIGNS) {
    if (stands === "none") return [];
    const said = field.read === null ? t("state.missing") : t(`state.${stands}`, { share: percent(field.confidence) });
    return [icon(stands), el("span", { class: "share", title: said }, field.read === null ? t("state.missing") : percent(field.confidence)),
      el("span", { class: "unseen" }, t(`state.${stands}`, { share: percent(field.confidence) }))];
  }
  return [icon(stands === "wrong" ? "bad" : stands === "edited" ? "pen" : "sure"), t(`state.${stands}`)];
}

function choicesOf(field) {
  if (field.choices?.length) return field.choices.map((value) => ({ value }));
  const others = field.alternatives.filter(({ value }) => value !== null);
  if (!others.length) return [];
  const read = field.read === null ? [] : [{ value: field.read, confidence: field.confidence, evidence: field.evidence }];
  return [...read, ...others].slice(0, 9);
}

function noteOf(field) {
  if (field.problem) return t(field.problem);
  const parts = [];
  if (field.source === "derived") parts.push(t("note.computed"));
  else if (field.raw && field.raw !== field.text) parts.push(t("note.printed", { raw: field.raw }));
  if (field.isEdited && field.read !== null && field.read !== field.raw) parts.push(t("note.read", { value: field.read }));
  if (field.source === "xml") parts.push(t("note.xml"));
  if (field.evidence) parts.push(field.evidence);
  return parts.join(" · ");
}
