// Shows one answer of /v1/extract to a person. Everything from the server is put in as text.

const SURE = 0.9; // at and above it, most answers need no second look
const DOUBTFUL = 0.6; // below it the server asks for a review of key fields
const SIGNS = { passed: "✓", failed: "✗", skipped: "–" };
const GRADES = { passed: "good", failed: "bad", skipped: "quiet" };
const SHORT = { id: "ID", iban: "IBAN", bic: "BIC", vendor: "Seller", customer: "Buyer" };

const find = (id) => document.getElementById(id);

/** The answer with every number as the server wrote it: 33.90 stays 33.90. */
export function parse(text) {
  return JSON.parse(text, (_name, value, context) =>
    typeof value === "number" && context?.source ? context.source : value);
}

/** Fill the page's result from the answer `body`. */
export function show(body) {
  find("headline").textContent = headline(body.result);
  const count = body.pages.length;
  find("summary").textContent = [
    sentence(body.document_type),
    count ? `${count} ${count === 1 ? "page" : "pages"}` : "",
    `read in ${(Number(body.timings_ms.total) / 1000).toFixed(1)} s`,
  ].filter(Boolean).join(" · ");
  find("verdict").replaceChildren(verdict(body));
  find("fields").tBodies[0].replaceChildren(
    ...Object.keys(body.result).filter((name) => body.fields[name])
      .map((name) => fieldRow(name, body.fields[name])));
  find("rows").replaceChildren(
    ...Object.entries(body.result)
      .filter(([, value]) => Array.isArray(value) && value.length)
      .flatMap(([name, rows]) => rowTable(name, rows, body.fields)));
  find("checks").replaceChildren(...body.checks.map(checkItem));
  find("notes").replaceChildren(...body.warnings.map((text) => make("p", note(text), "quiet")));
}

function headline(result) {
  const total = result.amount_due ?? result.total;
  const amount = total == null ? null : [result.currency, total].filter(Boolean).join(" ");
  const facts = [result.vendor_name, result.document_number, result.issue_date, amount];
  return facts.filter(Boolean).join(" · ") || "Nothing was found";
}

function verdict(body) {
  const banner = make("div", "", "banner");
  if (!body.needs_review) {
    banner.classList.add("good");
    banner.textContent = "✓ No reason to look closer: the key fields were found, and no check failed.";
    return banner;
  }
  banner.classList.add("doubt");
  const list = make("ul");
  list.append(...body.review_reasons.map((reason) => make("li", inWords(reason, body.checks))));
  banner.append(make("strong", "Please look at this:"), list);
  return banner;
}

/** A review reason, such as `missing:total`, as a sentence. */
function inWords(reason, checks) {
  const [kind, ...rest] = reason.split(":");
  const name = rest.join(":");
  if (kind === "check_failed") {
    const check = checks.find(({ rule }) => rule === name);
    return `${sentence(name)} does not hold: ${check?.message ?? ""}`;
  }
  if (kind === "missing") return `${sentence(name)} was not found.`;
  if (kind === "low_confidence") return `${sentence(name)} is uncertain.`;
  if (kind === "not_on_page") return `${sentence(name)}: the model named something that is not on the page.`;
  if (kind.startsWith("ambiguous")) return `${sentence(name)} can be read in more than one way.`;
  return reason;
}

/** A warning, such as `derived:tax_total: 5.20 is computed`, as a sentence. */
function note(warning) {
  const [, name, text] = /^\w+:(\w+): (.+)$/.exec(warning) ?? [];
  return name ? `${sentence(name)}: ${text}.` : `Note: ${warning}`;
}

function fieldRow(name, field) {
  const row = make("tr");
  const heading = make("th", sentence(name));
  heading.scope = "row";
  const value = make("td", field.value ?? "–");
  if (field.value == null) {
    const said = field.alternatives.map((other) => other.value).join(", ");
    value.append(make("small", `not on the page, though the model says ${said}`));
  } else if (String(field.raw) !== String(field.value)) {
    const how = field.source === "derived" ? "computed" : `printed as ${field.raw}`;
    value.append(make("small", how));
  }
  row.append(heading, value, sureness(field), make("td", field.page ?? "", "number"));
  return row;
}

function sureness(field) {
  const confidence = Number(field.confidence);
  const percent = `${Math.floor(confidence * 100)} %`;
  if (confidence >= SURE) return make("td", `● ${percent}`, "sure good");
  if (confidence >= DOUBTFUL) return make("td", `◐ ${percent}`, "sure doubt");
  return make("td", `○ ${percent} look`, "sure bad");
}

function rowTable(name, rows, fields) {
  const columns = Object.keys(rows[0]).filter((column) => rows.some((row) => row[column] != null));
  const numeric = (column) => rows.every((row) => row[column] == null || !Number.isNaN(Number(row[column])));
  const classes = Object.fromEntries(columns.map((column) => [column, numeric(column) ? "number" : ""]));
  const head = make("tr");
  head.append(...columns.map((column) => make("th", sentence(column), classes[column])));
  const lines = rows.map((row, index) => {
    const line = make("tr");
    line.append(...columns.map((column) => {
      const cell = make("td", row[column] ?? "", classes[column]);
      const field = fields[`${name}[${index}].${column}`];
      if (field && Number(field.confidence) < DOUBTFUL) {
        cell.classList.add("unsure");
        cell.title = "uncertain";
      }
      return cell;
    }));
    return line;
  });
  const [table, thead, tbody, box] = [make("table"), make("thead"), make("tbody"), make("div", "", "scroll")];
  thead.append(head);
  tbody.append(...lines);
  table.append(thead, tbody);
  if (columns.every(numeric)) table.className = "narrow";
  box.append(table);
  return [make("h3", sentence(name)), box];
}

function checkItem(check) {
  const item = make("li", "", GRADES[check.status]);
  item.append(make("b", SIGNS[check.status]), `${sentence(check.rule)}: ${check.message}`);
  return item;
}

/** `vendor_tax_id` as `Seller tax ID`. */
function sentence(name) {
  const words = name.split("_").map((word) => SHORT[word] ?? word).join(" ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function make(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}
