// Short words to the person: what was done, and what went wrong.

import { button, el, icon } from "/static/elements.js";
import { knows, t } from "/static/language.js";
import { ServerError } from "/static/server.js";

const SHOWN_MS = 4000;
const place = el("div", { class: "notices", role: "status", "aria-live": "polite" });

/** The element that notices appear in. */
export const notices = place;

/** Say that something was done; it goes by itself, and what went wrong before goes with it. */
export function say(text) {
  forgetProblem();
  const notice = el("p", { class: "notice" }, icon("sure"), text);
  place.append(notice);
  setTimeout(() => notice.remove(), SHOWN_MS);
}

/** Say what went wrong, a text or an error; it stays until it is closed, solved or left. */
export function problem(what) {
  const notice = el("div", { class: "notice bad", role: "alert" }, icon("bad"),
    el("div", {}, what instanceof Error ? inWords(what) : what, what.requestId ? el("small", {}, el("code", {}, what.requestId)) : null),
    button({ label: t("notice.close"), sign: "cross", shows: "icon", class: "plain", onclick: () => notice.remove() }));
  place.replaceChildren(notice);
}

/** What went wrong does not matter any longer. */
export function forgetProblem() {
  place.querySelector(".notice.bad")?.remove();
}

/** An error of the server, or one kept as `{code, message}`, as a sentence. */
export function inWords({ code, message, details }) {
  if (code && knows(`error.${code}`)) return t(`error.${code}`, details);
  if (details?.errors?.length) return details.errors.map(({ field, message: why }) => [field, why].filter(Boolean).join(" ")).join("; ");
  return message || t("error.internal_error");
}

/** Show failures of an event's work instead of losing them. */
export function shown(work) {
  return async (...given) => {
    try {
      await work(...given);
    } catch (error) {
      if (error.name === "AbortError") return;
      problem(error);
      if (!(error instanceof ServerError)) throw error;
    }
  };
}
