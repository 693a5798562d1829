// Settings: the key and who it belongs to, language and looks, and the health of the server.

import { button, el, icon } from "/static/elements.js";
import { chooseLanguage, language, languages, t } from "/static/language.js";
import { shown, say } from "/static/notices.js";
import { applyTheme, preferences } from "/static/preferences.js";
import { ask, key } from "/static/server.js";
import { session } from "/static/session.js";

const EVERY_MS = 5000;

export class SettingsView {
  #health = el("section", { class: "card", "aria-label": t("health.title") });
  #me = el("div", {});
  #timer;

  constructor() {
    this.element = el("div", { class: "settings" }, el("h2", {}, t("nav.settings")), this.#keyCard(), this.#looksCard(), this.#health);
  }

  get title() {
    return t("nav.settings");
  }

  async open() {
    this.#showMe();
    this.#timer = setInterval(() => this.#showHealth().catch(() => {}), EVERY_MS);
    await this.#showHealth();
  }

  key() {
    return false;
  }

  close() {
    clearInterval(this.#timer);
  }

  #keyCard() {
    const input = el("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false", placeholder: key.get() ? "••••••••" : "ocr_…" });
    const use = shown(async (text) => {
      await session.use(text);
      input.value = "";
      this.#showMe();
      say(t("key.valid"));
    });
    return el("section", { class: "card", "aria-label": t("key.title") }, el("h3", {}, t("key.title")), this.#me,
      el("form", { class: "row form", onsubmit: (event) => { event.preventDefault(); use(input.value.trim()); } },
        el("label", { for: "key" }, t("key.other")), input, el("button", {}, t("key.use")),
        button({ label: t("key.forget"), class: "plain", onclick: () => use("") })),
      el("p", { class: "quiet" }, t("key.stays")));
  }

  #showMe() {
    const { me } = session;
    this.#me.replaceChildren(me
      ? el("dl", {}, el("dt", {}, t("me.key")), el("dd", {}, el("code", {}, me.key_id)), el("dt", {}, t("me.role")), el("dd", {}, t(`role.${me.role}`)), el("dt", {}, t("me.scopes")), el("dd", {}, me.scopes.join(", ")))
      : el("p", {}, t("key.none")));
  }

  #looksCard() {
    const choice = (id, label, options, value, act) => {
      const select = el("select", { id, onchange: () => act(select.value) }, Object.entries(options).map(([name, shows]) => el("option", { value: name }, shows)));
      select.value = value;
      return el("label", {}, label, " ", select);
    };
    const themes = Object.fromEntries(["auto", "light", "dark"].map((name) => [name, t(`theme.${name}`)]));
    return el("section", { class: "card", "aria-label": t("looks.title") }, el("h3", {}, t("looks.title")), el("p", { class: "row" },
      choice("language", t("looks.language"), languages, language(), async (code) => { await chooseLanguage(code); location.reload(); }),
      choice("theme", t("looks.theme"), themes, preferences.get("theme"), (theme) => { preferences.set("theme", theme); applyTheme(); })));
  }

  async #showHealth() {
    const { status, version, inference, storage, jobs } = await ask("/v1/health");
    const line = (name, isGood, text) => [el("dt", {}, t(name)), el("dd", { class: isGood ? "good" : "bad" }, icon(isGood ? "sure" : "bad"), text)];
    this.#health.replaceChildren(el("h3", {}, t("health.title")), el("dl", {},
      line("health.server", status === "ok", `${t(`health.${status}`)}, ${version}`),
      line("health.inference", inference.ready, `${inference.backend}, ${inference.model}`),
      line("health.storage", storage.ready, storage.backend),
      line("health.spool", storage.spooled === "0", t("health.spooled", { count: storage.spooled })),
      line("health.jobs", true, `${jobs.backend}: ${t("health.queue", { queued: jobs.queued, running: jobs.running })}`)));
  }
}
