// A table of the document, such as its line items, as a grid to type in that adds up while one types.

import { readTyped, isNumeric } from "/static/typed_text.js";
import { SURE } from "/static/draft.js";
import { button, el } from "/static/elements.js";
import { nameOf, percent, t } from "/static/language.js";
import { columnSum, lineAmount } from "/static/sums.js";

/** Announces `point` (detail: the cell's name as in the response, or null). */
export class TableGrid extends EventTarget {
  #draft;
  #table;
  #body = el("tbody");
  #foot = el("tfoot");
  #head = el("thead");
  #showsAll = false;
  #grid;
  #more;
  #inputs = new Map();

  constructor(draft, table) {
    super();
    this.#draft = draft;
    this.#table = table;
    this.#grid = el("table", { class: "grid" }, this.#head, this.#body, this.#foot);
    this.#more = button({ label: t("grid.all_columns"), class: "small plain", onclick: () => this.#toggleColumns() });
    this.element = el("section", { class: "part table-part", "aria-label": nameOf(table.name) },
      el("header", {}, el("h3", {}, nameOf(table.name)), this.#more,
        button({ label: t("grid.add_row"), sign: "plus", class: "small", onclick: () => this.#add() })),
      el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": nameOf(table.name) }, this.#grid));
    this.#grid.addEventListener("mouseover", (event) => this.#announce(this.#nameAt(event)));
    this.#grid.addEventListener("mouseleave", () => this.#announce(null));
    this.#grid.addEventListener("focusin", (event) => this.#announce(this.#nameAt(event)));
    this.#grid.addEventListener("input", ({ target }) => this.#typed(target));
    this.#grid.addEventListener("keydown", (event) => this.#key(event));
    this.#grid.addEventListener("paste", (event) => this.#paste(event));
    this.#build();
  }

  /** The cells that stand on a page: `{name, page, polygon, grade}` each, by where they were read. */
  light(name, isLit) {
    this.#inputs.get(name)?.classList.toggle("lit", isLit);
  }

  focus(name) {
    const input = this.#inputs.get(name);
    input?.focus();
    return Boolean(input);
  }

  /** Put words of the page into the cell that has the focus; false if none has it. */
  take(text, adds) {
    const input = document.activeElement;
    if (!this.#grid.contains(input) || !input.dataset.column) return false;
    const { type } = this.#table.columns.find(({ name }) => name === input.dataset.column);
    const whole = adds && input.value ? `${input.value} ${text}` : text;
    input.value = readTyped(whole, type).value ?? whole;
    this.#typed(input);
    return true;
  }

  get #columns() {
    const filled = this.#table.columns.filter(({ name }) => this.#table.rows.some(({ cells }) => cells[name] !== ""));
    return this.#showsAll || !filled.length ? this.#table.columns : filled;
  }

  #build() {
    const columns = this.#columns;
    const isWhole = columns.length === this.#table.columns.length;
    this.#more.hidden = isWhole && !this.#showsAll;
    this.#more.setAttribute("aria-pressed", String(this.#showsAll));
    this.#inputs.clear();
    this.#head.replaceChildren(el("tr", {},
      columns.map(({ name, type }) => el("th", { scope: "col", class: isNumeric(type) ? "number" : "" }, nameOf(name))),
      el("th", {}, el("span", { class: "unseen" }, t("grid.row_tools")))));
    this.#body.replaceChildren(...this.#table.rows.map((_row, at) => this.#line(columns, at)));
    this.#sum();
  }

  #line(columns, at) {
    return el("tr", { "data-row": at },
      columns.map((column) => el("td", {}, this.#cellInput(column, at))),
      el("td", { class: "tools" }, button({
        label: t("grid.remove_row", { number: at + 1 }), sign: "cross", shows: "icon", class: "plain", tabindex: "-1",
        onclick: () => this.#remove(at),
      })));
  }

  #cellInput({ name, type }, at) {
    const read = this.#draft.cell(this.#table, at, name);
    const confidence = read ? Number(read.confidence) : 1;
    const input = el("input", {
      value: this.#table.rows[at].cells[name], "data-column": name, "data-at": at,
      "data-field": this.#name(at, name), autocomplete: "off", spellcheck: "false",
      class: `${isNumeric(type) ? "number" : ""} ${confidence < SURE ? "doubt" : ""}`,
      "aria-label": `${nameOf(name)}, ${t("grid.row", { number: at + 1 })}${confidence < SURE ? `, ${percent(confidence)}` : ""}`,
      title: confidence < SURE ? t("state.doubt", { share: percent(confidence) }) : "",
      inputmode: isNumeric(type) ? "decimal" : "text",
    });
    const place = this.#name(at, name);
    if (place) this.#inputs.set(place, input);
    return input;
  }

  /** The cell's name in the response; empty in a row that a person added. */
  #name(at, column) {
    const { origin } = this.#table.rows[at];
    return origin === null ? "" : `${this.#table.name}[${origin}].${column}`;
  }

  #typed(input) {
    const { column, at } = input.dataset;
    const { type } = this.#table.columns.find(({ name }) => name === column);
    this.#draft.setCell(this.#table, Number(at), column, input.value);
    input.classList.add("edited");
    input.setAttribute("aria-invalid", String(Boolean(readTyped(input.value, type).problem)));
    this.#sum();
  }

  #sum() {
    for (const line of this.#body.rows) {
      const found = lineAmount(this.#table.rows[line.dataset.row].cells);
      const cell = line.querySelector('[data-column="amount"]');
      if (!cell) continue;
      cell.classList.toggle("unequal", found !== null && !found.holds);
      if (found && !found.holds) cell.title = t("grid.unequal", { expected: found.expected });
    }
    const columns = this.#columns;
    const sums = columns.map(({ name, type }) => (type === "money" && name !== "unit_price" ? columnSum(this.#table, name) : null));
    this.#foot.replaceChildren(...(sums.some(Boolean) && this.#table.rows.length > 1 ? [el("tr", {},
      columns.map(({ type }, at) => el("td", { class: isNumeric(type) ? "number" : "" },
        sums[at] ? sums[at].toString() : at === 0 ? t("grid.sum") : "")), el("td"))] : []));
  }

  #key(event) {
    const { target, key } = event;
    if (!target.dataset.column) return;
    const step = { ArrowDown: 1, ArrowUp: -1, Enter: 1 }[key];
    if (step && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const next = this.#at(Number(target.dataset.at) + step, target.dataset.column);
      if (!next && key === "Enter") this.#add(target.dataset.column);
      next?.focus();
      next?.select();
      event.preventDefault();
    } else if (key === "Delete" && event.ctrlKey) {
      this.#remove(Number(target.dataset.at));
      event.preventDefault();
    }
  }

  /** Cells copied from a spreadsheet fill the cells from here on. */
  #paste(event) {
    const text = event.clipboardData.getData("text/plain").replace(/\r?\n$/, "");
    if (!/[\t\n]/.test(text) || !event.target.dataset.column) return;
    event.preventDefault();
    const columns = this.#columns;
    const [row, column] = [Number(event.target.dataset.at), columns.findIndex(({ name }) => name === event.target.dataset.column)];
    text.split(/\r?\n/).forEach((line, down) => {
      if (row + down === this.#table.rows.length) this.#draft.addRow(this.#table);
      line.split("\t").slice(0, columns.length - column).forEach((cell, right) =>
        this.#draft.setCell(this.#table, row + down, columns[column + right].name, cell.trim()));
    });
    this.#build();
    this.#at(row, columns[column].name).focus();
  }

  #add(column = this.#columns[0].name) {
    this.#draft.addRow(this.#table);
    this.#build();
    this.#at(this.#table.rows.length - 1, column).focus();
  }

  #remove(at) {
    this.#draft.removeRow(this.#table, at);
    this.#build();
    (this.#at(Math.min(at, this.#table.rows.length - 1), this.#columns[0].name) ?? this.#more).focus();
  }

  #toggleColumns() {
    this.#showsAll = !this.#showsAll;
    this.#build();
  }

  #at(row, column) {
    return this.#body.querySelector(`[data-at="${row}"][data-column="${column}"]`);
  }

  #nameAt(event) {
    return event.target.closest("[data-field]")?.dataset.field || null;
  }

  #announce(name) {
    this.dispatchEvent(new CustomEvent("point", { detail: name }));
  }
}
