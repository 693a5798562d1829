// What each key does, as a dialogue.

import { button, el } from "/static/elements.js";
import { t } from "/static/language.js";

const KEYS = [
  ["keys.fields", [["Tab", "keys.tab"], ["Enter", "keys.enter"], ["Alt 1…9", "keys.choice"], ["Esc", "keys.escape"], ["F", "keys.find"]]],
  ["keys.documents", [["Ctrl Enter", "keys.save_next"], ["Ctrl S", "keys.save"], ["N / Alt →", "keys.next"], ["P / Alt ←", "keys.before"]]],
  ["keys.pages", [["+ / −", "keys.zoom"], ["0", "keys.fit"], ["R", "keys.rotate"], ["] / [", "keys.turn"], ["Shift", "keys.shift"]]],
  ["keys.grid", [["↑ ↓ Enter", "keys.rows"], ["Ctrl Delete", "keys.remove"], ["Ctrl V", "keys.paste"]]],
];

/** Show the dialogue; Escape closes it. */
export function openShortcuts() {
  const dialog = el("dialog", { class: "keys", "aria-labelledby": "keys-title" },
    el("h2", { id: "keys-title" }, t("keys.title")),
    el("div", { class: "columns" }, KEYS.map(([group, keys]) => el("section", {}, el("h3", {}, t(group)),
      el("dl", {}, keys.flatMap(([name, what]) => [el("dt", {}, el("kbd", {}, name)), el("dd", {}, t(what))]))))),
    button({ label: t("notice.close"), onclick: () => dialog.close() }));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
