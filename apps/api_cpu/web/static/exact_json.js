// JSON whose numbers keep their decimals: 33.90 is read as "33.90" and written as 33.90.

/** The value in `text`, every number as the text that it was written with. */
export function parseExact(text) {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === "number" ? (context?.source ?? String(value)) : value);
}

/** A number that is written as `text`; a browser that cannot do that writes its nearest double. */
export class ExactNumber {
  constructor(text) {
    this.text = text;
  }

  toJSON() {
    return JSON.rawJSON ? JSON.rawJSON(this.text) : Number(this.text);
  }
}

/** `text`, which is JSON, on lines of its own; JSON.stringify would write 33.90 as 33.9. */
export function indented(text) {
  let depth = 0;
  return text.replace(/"(?:[^"\\]|\\.)*"|\[\]|\{\}|[[\]{}:,]|\s+/g, (token) => {
    if (/^\s/.test(token)) return "";
    if (token === "]" || token === "}") return `\n${"  ".repeat(--depth)}${token}`;
    if (token === ":") return ": ";
    if (token === ",") return `,\n${"  ".repeat(depth)}`;
    return token === "[" || token === "{" ? `${token}\n${"  ".repeat(++depth)}` : token;
  });
}
