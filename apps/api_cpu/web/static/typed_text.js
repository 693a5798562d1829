// What a person types or takes from the page, as the value of a field's type.

import { Decimal } from "/static/decimal.js";

const NUMBERS = new Set(["money", "number", "percent"]);
const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const PARTS = /^(\d{1,4})[./\-\s]+(\d{1,2})[./\-\s]+(\d{1,4})$/;
const CLOCK = /^(\d{1,2})[:.h](\d{2})(?:[:.]\d{2})?\s*([ap]\.?m\.?)?$/i;
const SIGNS = { "€": "EUR", "£": "GBP", "zł": "PLN", "₽": "RUB", "RM": "MYR", "₹": "INR" };

/** Whether values of this type are JSON numbers. */
export const isNumeric = (type) => NUMBERS.has(type);

/**
 * `{value}` of a text, or `{problem}` as a key of strings, with `choices` where the text means
 * more than one thing. An empty text is the value null: the document has none.
 */
export function readTyped(text, type) {
  const trimmed = text.trim().replace(/\s+/g, " ");
  if (trimmed === "") return { value: null };
  if (isNumeric(type)) return readNumber(trimmed);
  if (type === "date") return readDate(trimmed);
  if (type === "time") return readTime(trimmed);
  if (type === "currency") return readCurrency(trimmed);
  if (type === "iban" || type === "bic") return { value: trimmed.replaceAll(" ", "").toUpperCase() };
  return { value: trimmed };
}

/** `1.234,56`, `1,234.56`, `1 234,56 EUR`, `Rs. 12`, `(5.00)`, `5.00-`; not `2 x 5`. */
function readNumber(text) {
  const isNegative = /^\(.*\)$|^\D*[-−–]|\d\s?[-−–]\D*$/.test(text);
  const bare = text.replace(/[\s'’()]/g, "").replace(/^\p{L}+\.?/u, "").replace(/^[^\d.,]+|\D+$/gu, "");
  const plain = /^[.,]?\d[\d.,]*$/.test(bare) ? withDecimalPoint(bare) : null;
  if (!Decimal.parse(plain)) return { problem: "problem.number" };
  return { value: (isNegative ? "-" : "") + plain.replace(/^0*(?=\d)/, "") };
}

/** The last mark is the decimal one, unless the marks can only group thousands; null if they fit neither. */
function withDecimalPoint(text) {
  const marks = text.match(/[.,]/g) ?? [];
  if (!marks.length) return text;
  const isOneKind = new Set(marks).size === 1;
  // `1,234` is taken for thousands and `1.234` for a fraction, as most that print them mean it.
  const mayGroup = isOneKind && (marks.length > 1 || marks[0] === ",");
  if (mayGroup && /^[1-9]\d{0,2}([.,]\d{3})+$/.test(text)) return text.replace(/[.,]/g, "");
  if (isOneKind && marks.length > 1) return null;
  const at = Math.max(text.lastIndexOf("."), text.lastIndexOf(","));
  return `${text.slice(0, at).replace(/[.,]/g, "") || "0"}.${text.slice(at + 1)}`;
}

function readDate(text) {
  const iso = DAY.exec(text);
  if (iso) return isDay(iso[1], iso[2], iso[3]) ? { value: text } : { problem: "problem.date" };
  const [, first, second, third] = PARTS.exec(text) ?? [];
  if (!first) return { problem: "problem.date" };
  const orders = first.length > 2 ? [[first, second, third]] : [[third, second, first], [third, first, second]];
  const days = orders
    .map(([year, month, day]) => [year.length === 2 ? `20${year}` : year, month.padStart(2, "0"), day.padStart(2, "0")])
    .filter((parts) => isDay(...parts))
    .map((parts) => parts.join("-"));
  const choices = [...new Set(days)];
  if (choices.length === 1) return { value: choices[0] };
  // With full stops the day comes first wherever such dates are written.
  if (choices.length === 2 && text.includes(".")) return { value: choices[0] };
  return choices.length ? { problem: "problem.date_order", choices } : { problem: "problem.date" };
}

function isDay(year, month, day) {
  const made = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return year.length === 4 && made.getUTCMonth() === Number(month) - 1 && made.getUTCDate() === Number(day);
}

function readTime(text) {
  const [, hour, minute, half] = CLOCK.exec(text) ?? [];
  if (!hour) return { problem: "problem.time" };
  const isEvening = /^p/i.test(half ?? "");
  const shown = half ? (Number(hour) % 12) + (isEvening ? 12 : 0) : Number(hour);
  if (shown > 23 || Number(minute) > 59) return { problem: "problem.time" };
  return { value: `${String(shown).padStart(2, "0")}:${minute}` };
}

function readCurrency(text) {
  const code = SIGNS[text] ?? text.toUpperCase();
  return /^[A-Z]{3}$/.test(code) ? { value: code } : { problem: "problem.currency" };
}
