// A document as files: as it stands on the screen, or as the server's e-invoice with all corrections.

import { csvOf, saveFile, withExtension } from "/static/downloads.js";
import { el, icon } from "/static/elements.js";
import { t } from "/static/language.js";
import { problem, say, shown } from "/static/notices.js";
import { fetchFile } from "/static/server.js";

const INVOICES = new Set(["invoice", "credit_note"]);
// Excel takes a CSV for UTF-8 only behind this mark.
const BYTE_ORDER_MARK = "\ufeff";

/**
 * A menu of exports. `draft` and `name` are the document's; `save()` keeps its changes first and says
 * whether that went well; `others` are further entries, `{label, act}` each.
 */
export function exportMenu({ requestId, draft, name, save, others }) {
  const einvoice = (format) => shown(async () => {
    if (!(await save())) return;
    const { blob, headers } = await fetchFile(`/v1/extracts/${encodeURIComponent(requestId)}?format=${format}`);
    saveFile(withExtension(name, "xml"), blob);
    const missing = headers.get("X-Missing-Business-Terms");
    if (missing) problem(t("export.missing", { terms: missing }));
    else say(t("export.whole"));
  });
  const entries = [
    { label: t("export.csv"), act: () => saveFile(withExtension(name, "csv"), new Blob([BYTE_ORDER_MARK, csvOf(draft.result)], { type: "text/csv" })) },
    { label: t("export.json"), act: () => saveFile(withExtension(name, "json"), new Blob([JSON.stringify(draft.result, null, 2)], { type: "application/json" })) },
    ...(INVOICES.has(draft.response.document_type) ? [{ label: t("export.ubl"), act: einvoice("ubl") }, { label: t("export.cii"), act: einvoice("cii") }] : []),
    ...others,
  ];
  const menu = el("details", { class: "menu" }, el("summary", {}, icon("more"), t("document.more")),
    el("div", { class: "choices-menu" }, entries.map(({ label, act }) =>
      el("button", { type: "button", onclick: () => { menu.open = false; act(); } }, label))));
  menu.addEventListener("focusout", ({ relatedTarget }) => { if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false; });
  menu.addEventListener("keydown", ({ key }) => { if (key === "Escape") menu.open = false; });
  return menu;
}
