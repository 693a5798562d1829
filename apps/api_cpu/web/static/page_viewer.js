// The pages of a document, one below the other: zoom, turning, pages as they come into view, pointing.

import { button, el } from "/static/elements.js";
import { t } from "/static/language.js";
import { inWords } from "/static/notices.js";
import { PageSheet } from "/static/page_sheet.js";

const ZOOMS = [0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4];
const WIDTHS = [600, 900, 1300, 1800, 2600];
const KEPT_IMAGES = 16;
const A_DRAG = 5;

/**
 * Announces `point` (detail: names of the fields under the pointer), `pick` (a box was clicked) and
 * `take` (words were chosen, with `adds` when they come to what is there).
 */
export class PageViewer extends EventTarget {
  #sheets;
  #scroller;
  #zoom = 1;
  #shown = [];
  #pointed = "";
  #drag = null;
  #source;
  #count;
  #observer;
  #resizes;
  #placed = new Map();
  #waiting = new Set();
  #status = el("p", { class: "waiting", role: "status" });

  /** `source.image(number, width, onWait)` resolves with a URL or null, `source.words(number)` with the page's words. */
  constructor(pages, source) {
    super();
    this.#source = source;
    /** Whether words are being taken: a field waits for them. */
    this.takesWords = false;
    this.#sheets = pages.map((page) => new PageSheet(page, t("page.image", { number: page.number, count: pages.length })));
    this.#scroller = el("div", { class: "pages", tabindex: "0", role: "group", "aria-label": t("page.pages") },
      this.#sheets.map(({ element }) => element));
    this.#count = el("span", { class: "count", "aria-live": "polite" });
    this.element = el("section", { class: "viewer", "aria-label": t("page.document") }, this.#toolbar(), this.#status, this.#scroller);
    this.#listen();
    this.#watch();
  }

  /** Boxes of fields, `{name, page, polygon, grade}` each, in place of those before. */
  setBoxes(places) {
    for (const sheet of this.#sheets) sheet.setBoxes(places.filter(({ page }) => page === sheet.number));
    this.#placed = new Map(places.map(({ name, page }) => [name, this.#sheets.find(({ number }) => number === page)]));
  }

  /** Light the place of a field, scrolling to it if asked; `isLit` false puts it out. */
  light(name, isLit, { scrolls = false } = {}) {
    const sheet = this.#placed.get(name);
    sheet?.light(name, isLit);
    if (sheet && isLit && scrolls) this.#bringIntoView(sheet, name);
  }

  zoom(step) {
    const at = ZOOMS.findIndex((zoom) => zoom >= this.#zoom);
    this.#setZoom(ZOOMS[Math.min(ZOOMS.length - 1, Math.max(0, at + step))]);
  }

  fit() {
    this.#setZoom(1);
  }

  rotate() {
    this.#current().rotate();
  }

  /** Go `step` pages on. */
  turnPage(step) {
    const at = this.#sheets.indexOf(this.#current()) + step;
    this.#sheets[Math.min(this.#sheets.length - 1, Math.max(0, at))].element.scrollIntoView({ block: "start" });
  }

  close() {
    this.#observer.disconnect();
    this.#resizes.disconnect();
  }

  #toolbar() {
    const tool = (label, sign, act) => button({ label: t(label), sign, shows: "icon", onclick: act });
    return el("div", { class: "toolbar", role: "toolbar", "aria-label": t("page.tools") },
      tool("page.zoom_out", "minus", () => this.zoom(-1)),
      tool("page.zoom_in", "plus", () => this.zoom(1)),
      tool("page.fit", "fit", () => this.fit()),
      tool("page.rotate", "rotate", () => this.rotate()),
      el("span", { class: "spread" }),
      tool("page.before", "up", () => this.turnPage(-1)),
      this.#count,
      tool("page.after", "down", () => this.turnPage(1)));
  }

  #listen() {
    const scroller = this.#scroller;
    scroller.addEventListener("pointermove", (event) => this.#move(event));
    scroller.addEventListener("pointerleave", () => this.#point([]));
    scroller.addEventListener("pointerdown", (event) => this.#press(event));
    scroller.addEventListener("pointerup", (event) => this.#release(event));
    scroller.addEventListener("pointercancel", () => this.#letGo());
    scroller.addEventListener("scroll", () => this.#showCount(), { passive: true });
    scroller.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1 : -1);
    }, { passive: false });
  }

  #watch() {
    this.#observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.#load(this.#sheets.find(({ element }) => element === target));
      }
    }, { root: this.#scroller, rootMargin: "60% 0px" });
    for (const { element } of this.#sheets) this.#observer.observe(element);
    this.#resizes = new ResizeObserver(() => this.#showCount());
    this.#resizes.observe(this.#scroller);
  }

  async #load(sheet) {
    const wanted = this.#widthFor(sheet);
    if (wanted <= sheet.shownWidth) return;
    sheet.shownWidth = wanted;
    const waits = (error) => this.#sayWaiting(sheet, error);
    const [url, words] = await Promise.all([this.#source.image(sheet.number, wanted, waits), sheet.words ?? this.#source.words(sheet.number)]);
    sheet.words = words;
    this.#sayWaiting(sheet, null);
    // Asked for in another width meanwhile, whose image this one must not replace.
    if (sheet.shownWidth !== wanted) return;
    if (url) {
      sheet.show(url, wanted);
      this.#keepFew(sheet);
    } else {
      sheet.showWords();
    }
  }

  /** Say why an image does not come yet, until all have come; `error` is null for one that has. */
  #sayWaiting(sheet, error) {
    if (error) this.#waiting.add(sheet);
    else this.#waiting.delete(sheet);
    const text = error ? t("page.waiting", { why: inWords(error) }) : "";
    if ((error || !this.#waiting.size) && this.#status.textContent !== text) this.#status.textContent = text;
  }

  #keepFew(sheet) {
    this.#shown = [...this.#shown.filter((other) => other !== sheet), sheet];
    if (this.#shown.length <= KEPT_IMAGES) return;
    const oldest = this.#shown.shift();
    oldest.hide();
    // Observed anew, so that it is loaded again when it comes back into view.
    this.#observer.unobserve(oldest.element);
    this.#observer.observe(oldest.element);
  }

  #widthFor({ element }) {
    const pixels = Math.max(element.clientWidth, 300) * devicePixelRatio;
    return WIDTHS.find((width) => width >= pixels) ?? WIDTHS.at(-1);
  }

  #setZoom(zoom) {
    const [middle, end] = [this.#scroller.scrollTop + this.#scroller.clientHeight / 2, this.#scroller.scrollHeight];
    this.#zoom = zoom;
    this.#scroller.style.setProperty("--zoom", zoom);
    this.#scroller.scrollTop = (middle / end) * this.#scroller.scrollHeight - this.#scroller.clientHeight / 2;
    const box = this.#scroller.getBoundingClientRect();
    for (const sheet of this.#sheets) {
      const { top, bottom } = sheet.element.getBoundingClientRect();
      if (bottom > box.top && top < box.bottom) this.#load(sheet);
    }
    this.#showCount();
  }

  #current() {
    const box = this.#scroller.getBoundingClientRect();
    const middle = box.top + box.height / 2;
    return this.#sheets.find(({ element }) => element.getBoundingClientRect().bottom > middle) ?? this.#sheets.at(-1);
  }

  #showCount() {
    const text = `${this.#current().number} / ${this.#sheets.at(-1).number}`;
    if (this.#count.textContent !== text) this.#count.textContent = text;
  }

  #bringIntoView(sheet, name) {
    const [box, view] = [sheet.boxRect(name), this.#scroller.getBoundingClientRect()];
    const isSeen = box.top >= view.top && box.bottom <= view.bottom && box.left >= view.left && box.right <= view.right;
    if (isSeen) return;
    this.#scroller.scrollBy({
      top: box.top - view.top - view.height / 3,
      left: box.left - view.left - view.width / 4,
    });
  }

  #sheetAt(event) {
    const element = event.target.closest(".sheet");
    return this.#sheets.find((sheet) => sheet.element === element);
  }

  #move(event) {
    if (this.#drag) {
      const { sheet, from } = this.#drag;
      this.#drag.isFar ||= Math.hypot(event.clientX - this.#drag.x, event.clientY - this.#drag.y) > A_DRAG;
      if (!this.#drag.isFar) return;
      if (this.takesWords) sheet.mark(sheet.wordsBetween(from, sheet.point(event)));
      else if (event.pointerType === "mouse") this.#scroller.scrollBy(-event.movementX, -event.movementY);
      return;
    }
    const sheet = this.#sheetAt(event);
    const point = sheet?.point(event);
    if (this.takesWords && event.pointerType === "mouse") this.#markOnly(sheet, point);
    this.#point(sheet ? sheet.fieldsAt(point) : []);
  }

  #markOnly(sheet, point) {
    for (const other of this.#sheets) if (other !== sheet) other.mark([]);
    sheet?.mark(sheet.wordsBetween(point, point));
  }

  #point(names) {
    if (names.join() === this.#pointed) return;
    this.#pointed = names.join();
    this.dispatchEvent(new CustomEvent("point", { detail: names }));
  }

  #press(event) {
    const sheet = this.#sheetAt(event);
    if (!sheet || event.button !== 0) return;
    // The field that waits for words keeps the focus; a finger may still scroll.
    if (event.pointerType === "mouse") event.preventDefault();
    this.#drag = { sheet, from: sheet.point(event), x: event.clientX, y: event.clientY, isFar: false };
    if (event.pointerType === "mouse") this.#scroller.setPointerCapture(event.pointerId);
  }

  #release(event) {
    if (!this.#drag) return;
    const { sheet, from, isFar } = this.#drag;
    const fields = sheet.fieldsAt(from);
    const words = sheet.wordsBetween(from, isFar ? sheet.point(event) : from);
    this.#letGo();
    if (this.takesWords && words.length && (isFar || event.shiftKey || !fields.length)) {
      this.dispatchEvent(new CustomEvent("take", { detail: { text: words.map(({ text }) => text).join(" "), adds: event.shiftKey } }));
    } else if (fields.length && !isFar) {
      this.dispatchEvent(new CustomEvent("pick", { detail: fields }));
    }
  }

  #letGo() {
    this.#drag?.sheet.mark([]);
    this.#drag = null;
  }
}
