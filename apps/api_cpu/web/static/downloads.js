// What leaves the page as a file.

// A spreadsheet takes a cell that begins like this for a formula; an apostrophe makes it text again.
const FORMULA = /^[=+\-@\t\r]/;
const NUMBER = /^-?\d+(\.\d+)?$/;

/** Have the browser save bytes under a name. */
export function saveFile(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** `invoice.pdf` as `invoice.csv`. */
export const withExtension = (name, extension) => `${name.replace(/\.\w{1,5}$/, "")}.${extension}`;

/** A result as CSV: field and value a line, cells of tables as `line_items[0].amount`. */
export function csvOf(result) {
  const lines = [["field", "value"]];
  for (const [name, value] of Object.entries(result)) {
    if (!Array.isArray(value)) lines.push([name, value]);
    else value.forEach((row, at) => Object.entries(row).forEach(([column, cell]) => lines.push([`${name}[${at}].${column}`, cell])));
  }
  return lines.filter(([, value]) => value !== null).map((cells) => cells.map(quoted).join(",")).join("\r\n");
}

function quoted(value) {
  const text = String(value?.text ?? value);
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
