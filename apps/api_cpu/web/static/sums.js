// Adds up what a person typed, as it stands: lines, taxes and payments against the totals.

import { Decimal } from "/static/decimal.js";
import { readTyped } from "/static/typed_text.js";

const CENT = new Decimal(1n, 2);
const ADDED = ["shipping", "service_charge", "tax_total", "tip", "rounding"];

/**
 * The sums of a draft: `{rule, message, holds}` each, `holds` null where the document has nothing to compare
 * with. Only sums whose parts are there; a tax may be part of the lines or come on top.
 */
export function sumsOf(draft) {
  const values = (names) => names.map((name) => [name, Decimal.parse(draft.value(name))]).filter(([, value]) => value);
  return [
    linesSum(draft, values(["subtotal", "total"])),
    totalSum(draft, new Map(values(["subtotal", "discount_total", "total", ...ADDED]))),
    taxesSum(draft, values(["tax_total"])),
    paymentsSum(draft, new Map(values(["total", "change"]))),
  ].filter(Boolean);
}

/** The sum of a table's column; null without rows or with a cell that is no amount. */
export function columnSum(table, column) {
  if (!table?.columns.some(({ name }) => name === column)) return null;
  const texts = table.rows.map(({ cells }) => readTyped(cells[column], "money").value).filter((value) => value !== null);
  return texts.length ? Decimal.sum(texts) : null;
}

/** What quantity × price − discount of a line makes: `{expected, holds}`, or null if parts are missing. */
export function lineAmount(cells) {
  const [quantity, price, discount, amount] = ["quantity", "unit_price", "discount", "amount"]
    .map((name) => Decimal.parse(readTyped(cells[name] ?? "", "money").value));
  if (!quantity || !price || !amount) return null;
  const product = quantity.times(price);
  const places = Math.max(2, amount.scale);
  const results = [product, ...(discount ? [product.minus(discount), product.plus(discount)] : [])].map((one) => one.round(places));
  return { expected: results[discount ? 1 : 0], holds: results.some((one) => one.isNear(amount, CENT)) };
}

function linesSum(draft, targets) {
  const sum = columnSum(tableOf(draft, "line_items"), "amount");
  if (!sum || !targets.length) return null;
  const met = targets.find(([, target]) => target.isNear(sum, CENT));
  const [name, target] = met ?? targets[0];
  return said("lines_sum_to_subtotal", `Σ = ${sum}`, target, sum, Boolean(met), name);
}

function totalSum(draft, values) {
  const [subtotal, total] = [values.get("subtotal"), values.get("total")];
  if (!subtotal || !total) return null;
  const discount = values.get("discount_total");
  const terms = [["", subtotal], ...(discount ? [["-", discount]] : []), ...ADDED.filter((name) => values.has(name)).map((name) => ["+", values.get(name)])];
  const withTax = added(terms);
  const tax = values.get("tax_total");
  const results = [withTax, ...(tax ? [withTax.minus(tax)] : [])];
  const met = results.find((one) => one.isNear(total, CENT));
  const shown = met && met !== withTax ? terms.filter(([, value]) => value !== tax) : terms;
  const text = shown.map(([sign, value]) => `${sign} ${value}`).join(" ").trim();
  return said("total_is_subtotal_plus_tax", text, total, met ?? withTax, Boolean(met), "total");
}

function taxesSum(draft, [target]) {
  const sum = columnSum(tableOf(draft, "tax_lines"), "amount");
  if (!sum || !target) return null;
  return said("tax_lines_sum_to_tax_total", `Σ = ${sum}`, target[1], sum, target[1].isNear(sum, CENT), "tax_total");
}

function paymentsSum(draft, values) {
  const sum = columnSum(tableOf(draft, "payments"), "amount");
  const [total, change] = [values.get("total"), values.get("change") ?? Decimal.zero];
  if (!sum || !total) return null;
  const paid = sum.minus(change);
  return said("change_is_paid_minus_total", change.isZero ? `Σ = ${sum}` : `${sum} - ${change}`, total, paid, paid.isNear(total, CENT), "total");
}

function added(terms) {
  return terms.reduce((sum, [sign, value]) => (sign === "-" ? sum.minus(value) : sum.plus(value)), Decimal.zero);
}

function said(rule, text, target, sum, holds, field) {
  return { rule, field, holds, message: holds ? `${text} = ${target}` : `${text} ≠ ${target}`, gap: sum.minus(target).toString() };
}

const tableOf = (draft, name) => draft.tables.find((table) => table.name === name);
