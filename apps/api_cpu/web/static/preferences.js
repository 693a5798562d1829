// What a person has chosen on this device; never the key.

const DEFAULTS = { theme: "auto", keeps: true, task: "auto" };
const PLACE = "preferences";

let chosen = {};
try {
  chosen = JSON.parse(localStorage.getItem(PLACE) ?? "{}");
} catch {
  // What cannot be read is as good as not chosen.
}

export const preferences = {
  get: (name) => chosen[name] ?? DEFAULTS[name],
  set(name, value) {
    chosen = { ...chosen, [name]: value };
    localStorage.setItem(PLACE, JSON.stringify(chosen));
  },
};

/** Show the page light, dark, or as the device is set. */
export function applyTheme() {
  document.documentElement.dataset.theme = preferences.get("theme");
}
