// One extraction as a person works on it: what was read, what is doubtful, and what was changed.

import { ExactNumber } from "/static/exact_json.js";
import { isNumeric, readTyped } from "/static/typed_text.js";

/** At and above it, most answers need no second look; below the second, the server asks for a review. */
export const SURE = 0.9;
const LIKELY = 0.6;

/** Announces `change` whenever a value, a row or a confirmation changed. */
export class Draft extends EventTarget {
  #byName;

  /**
   * `response` as `GET /v1/extracts/{id}` gives it and `task` as `GET /v1/tasks/{id}` does; `corrected` is what
   * `GET …/corrections` says, so that work goes on where a person left it.
   */
  constructor(response, task, corrected) {
    super();
    const said = new Set(corrected.corrections.flatMap(({ fields }) => Object.keys(fields)));
    this.response = response;
    this.asked = askedFor(response);
    this.fields = task.fields.filter(({ type }) => type !== "table")
      .map((spec) => this.#field(spec, said.has(spec.name), corrected.result[spec.name]));
    this.tables = task.fields.filter(({ type }) => type === "table")
      .map((spec) => this.#table(spec, said.has(spec.name), corrected.result[spec.name] ?? []));
    this.#byName = new Map(this.fields.map((field) => [field.name, field]));
  }

  field(name) {
    return this.#byName.get(name);
  }

  /** The value of a field as it stands now; null while its text does not fit its type. */
  value(name) {
    const field = this.field(name);
    return field ? (readTyped(field.text, field.type).value ?? null) : null;
  }

  /** The fields that someone should look at, the least sure first. */
  get doubtful() {
    return this.fields.filter(({ grade }) => grade === "bad" || grade === "doubt")
      .sort((one, other) => one.confidence - other.confidence);
  }

  /** How many of them nobody has confirmed or changed. */
  get openCount() {
    return this.fields.filter(isOpen).length;
  }

  /** Whether there is something to save. */
  get isChanged() {
    return this.fields.some(isTouched) || this.tables.some(({ isTouched: touched }) => touched);
  }

  /** Whether each text fits its field's type. */
  get isFitting() {
    return !this.fields.some(({ problem }) => problem) && !this.tables.some((table) => badCells(table).length);
  }

  setText(name, text) {
    const field = this.field(name);
    field.text = text;
    Object.assign(field, { problem: null, choices: [] }, readTyped(text, field.type));
    field.isEdited = (field.value ?? null) !== field.kept || Boolean(field.problem);
    field.isConfirmed = false;
    this.#changed(name);
  }

  /** A person says that the field is right as it stands. */
  confirm(name) {
    const field = this.field(name);
    if (field.problem || field.isEdited) return;
    field.isConfirmed = true;
    this.#changed(name);
  }

  restore(name) {
    this.setText(name, this.field(name).kept ?? "");
  }

  setCell(table, row, column, text) {
    table.rows[row].cells[column] = text;
    this.#tableChanged(table);
  }

  addRow(table, at = table.rows.length) {
    table.rows.splice(at, 0, { cells: Object.fromEntries(table.columns.map(({ name }) => [name, ""])), origin: null });
    this.#tableChanged(table);
  }

  removeRow(table, at) {
    table.rows.splice(at, 1);
    this.#tableChanged(table);
  }

  /** What `POST …/corrections` takes: what was changed or confirmed, a table whole. */
  get corrections() {
    const sent = {};
    for (const field of this.fields.filter(isTouched)) sent[field.name] = wire(field.text, field.type);
    for (const table of this.tables.filter((one) => one.isTouched)) {
      sent[table.name] = table.rows.map(({ cells }) =>
        Object.fromEntries(table.columns.map(({ name, type }) => [name, wire(cells[name], type)])));
    }
    return sent;
  }

  /** The whole result as it stands, in the order of the task. */
  get result() {
    const values = Object.fromEntries(this.fields.map(({ name, type, text }) => [name, wire(text, type)]));
    for (const table of this.tables) {
      values[table.name] = table.rows.map(({ cells }) =>
        Object.fromEntries(table.columns.map(({ name, type }) => [name, wire(cells[name], type)])));
    }
    return values;
  }

  /** What was sent is kept now. */
  saved() {
    for (const field of this.fields.filter(isTouched)) {
      Object.assign(field, { kept: readTyped(field.text, field.type).value, isEdited: false, isConfirmed: false, isKept: true });
    }
    for (const table of this.tables) table.isTouched = false;
    this.dispatchEvent(new Event("change"));
  }

  /** What was read for a cell, with its place; undefined in a row that a person added. */
  cell(table, row, column) {
    const { origin } = table.rows[row];
    return origin === null ? undefined : this.response.fields[`${table.name}[${origin}].${column}`];
  }

  #field(spec, isKept, keptValue) {
    const read = this.response.fields[spec.name];
    const kept = isKept ? keptValue : (read?.value ?? null);
    const confidence = read ? Number(read.confidence) : 0;
    return {
      name: spec.name,
      type: spec.type,
      text: kept ?? "",
      kept,
      read: read?.value ?? null,
      raw: read?.raw ?? "",
      page: read?.page ? Number(read.page) : null,
      polygon: placed(read),
      source: read?.source ?? null,
      evidence: read?.evidence ?? null,
      alternatives: (read?.alternatives ?? []).map((other) => ({ ...other, confidence: Number(other.confidence) })),
      confidence,
      grade: this.#grade(spec.name, read, confidence),
      problem: null,
      choices: [],
      isKept,
      isEdited: false,
      isConfirmed: false,
    };
  }

  #grade(name, read, confidence) {
    if (!read) return this.asked.has(name) ? "bad" : "none";
    if (read.value === null || confidence < LIKELY) return "bad";
    return confidence < SURE || read.needs_review || this.asked.has(name) ? "doubt" : "sure";
  }

  #table(spec, isKept, keptRows) {
    const read = this.response.result[spec.name] ?? [];
    const rows = (isKept ? keptRows : read).map((row) => ({
      cells: Object.fromEntries(spec.columns.map(({ name }) => [name, row[name] ?? ""])),
      origin: null,
    }));
    const free = new Set(read.keys());
    for (const row of rows) {
      row.origin = [...free].find((index) => isSameRow(read[index], row.cells)) ?? null;
      free.delete(row.origin);
    }
    return { name: spec.name, columns: spec.columns, rows, isTouched: false, isKept };
  }

  #tableChanged(table) {
    table.isTouched = true;
    this.#changed(table.name);
  }

  #changed(name) {
    this.dispatchEvent(new CustomEvent("change", { detail: { name } }));
  }
}

/** Whether a doubtful field still waits for a person. */
export const isOpen = ({ grade, problem, isKept, isEdited, isConfirmed }) =>
  (grade === "bad" || grade === "doubt") && (Boolean(problem) || !(isKept || isEdited || isConfirmed));

const isTouched = (field) => field.isEdited || field.isConfirmed;

/** The cells of a table whose text does not fit: `[row, column]` each. */
export function badCells(table) {
  return table.rows.flatMap(({ cells }, row) => table.columns
    .filter(({ name, type }) => readTyped(cells[name], type).problem)
    .map(({ name }) => [row, name]));
}

/** A polygon as numbers; null where the source has no place. */
export function placed(read) {
  return read?.polygon && read.page ? read.polygon.map((corner) => corner.map(Number)) : null;
}

function wire(text, type) {
  const { value = null } = readTyped(text, type);
  return value !== null && isNumeric(type) ? new ExactNumber(value) : value;
}

/** The same row, perhaps with a few cells corrected since. */
function isSameRow(read, cells) {
  const names = Object.keys(cells).filter((name) => read[name] != null || cells[name] !== "");
  return names.filter((name) => (read[name] ?? "") === cells[name]).length * 2 > names.length;
}

/** The fields that the server's review reasons and failed checks name. */
function askedFor({ review_reasons: reasons, checks }) {
  const failed = checks.filter(({ status }) => status === "failed").flatMap(({ fields }) => fields);
  return new Set([...failed, ...reasons.map((reason) => reason.split(":").slice(1).join(":"))]);
}
