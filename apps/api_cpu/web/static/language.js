// The page's words: one file of strings a language, and how counts, shares and names are said in it.

const LANGUAGES = { en: "English", ru: "Русский" };
const CHOICE = "language";
let strings = {};
let code = "en";

/** The languages, code to name. */
export const languages = LANGUAGES;

/** The language in use. */
export const language = () => code;

/** Load the chosen language, else the browser's, else English. */
export async function loadLanguage() {
  const wished = [localStorage.getItem(CHOICE), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  code = wished.find((tag) => tag in LANGUAGES) ?? "en";
  strings = (await import(`/static/strings_${code}.js`)).default;
  document.documentElement.lang = code;
}

/** Use this language from now on. */
export function chooseLanguage(chosen) {
  localStorage.setItem(CHOICE, chosen);
  return loadLanguage();
}

/** The string of a key with `{name}` filled in; one with forms is chosen by `count`. */
export function t(name, values = {}) {
  let found = strings[name] ?? name;
  if (typeof found === "object") {
    found = found[new Intl.PluralRules(code).select(Number(values.count))] ?? found.other;
  }
  return found.replace(/\{(\w+)\}/g, (_all, value) => values[value] ?? "");
}

/** Whether there is such a string. */
export const knows = (name) => name in strings;

/** `vendor_tax_id` as people say it: our word, else the name's own words. */
export function nameOf(field) {
  if (knows(`field.${field}`)) return t(`field.${field}`);
  const words = field.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A share in 0..1 as a percentage, rounded down: 0.999 is not certain. */
export const percent = (share) => `${Math.floor(share * 100)} %`;

/** An RFC 3339 moment as a date and time of here. */
export const moment = (text) => new Intl.DateTimeFormat(code, { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));

/** Seconds as `3 s`, `2 min`, `1 h 5 min`. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return t("time.seconds", { count: whole });
  const minutes = Math.round(whole / 60);
  if (minutes < 90) return t("time.minutes", { count: minutes });
  return t("time.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}
