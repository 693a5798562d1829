// One page of the document: its image, the boxes of fields over it, and which words a pointer means.

import { el, svg } from "/static/elements.js";

const WIDTH = 1000;
const SLACK = 0.004;

export class PageSheet {
  #face;
  #boxes = new Map();
  #overlay;
  #marks;
  #image = null;

  /** `page` is one of the response's pages: its number, width and height. */
  constructor(page, label) {
    this.number = Number(page.number);
    this.ratio = Number(page.width) / Number(page.height);
    this.turn = 0;
    this.places = [];
    this.words = null;
    this.shownWidth = 0;
    this.#marks = svg("g", { class: "marks" });
    this.#overlay = svg("svg", { viewBox: `0 0 ${WIDTH} ${WIDTH / this.ratio}`, class: "overlay", "aria-hidden": "true" });
    this.#face = el("div", { class: "face" }, this.#overlay);
    this.element = el("div", { class: "sheet", "data-page": this.number, role: "img", "aria-label": label }, this.#face);
    this.#lay();
  }

  /** Show this image; `width` is what it was asked for with. */
  show(url, width) {
    const image = el("img", { src: url, alt: "", draggable: "false" });
    this.shownWidth = width;
    image.decode().catch(() => {}).then(() => {
      // Hidden meanwhile, or asked for in another width.
      if (this.shownWidth !== width) return;
      this.#image?.remove();
      this.#image = image;
      this.#face.prepend(image);
      this.element.classList.add("shown");
    });
  }

  /** Take the image away to save memory; it will be asked for again. */
  hide() {
    this.#image?.remove();
    this.#image = null;
    this.shownWidth = 0;
    this.element.classList.remove("shown");
  }

  /** Where there is no image: the words, each where it stands. */
  showWords() {
    const lines = this.words.map(({ text, polygon }) => {
      const [left, top, right, bottom] = bounds(polygon);
      return svg("text", {
        x: left * WIDTH, y: (bottom - (bottom - top) * 0.2) * WIDTH / this.ratio,
        "font-size": (bottom - top) * 0.85 * WIDTH / this.ratio,
        textLength: (right - left) * WIDTH, lengthAdjust: "spacingAndGlyphs",
      }, text);
    });
    this.#overlay.prepend(svg("g", { class: "text" }, lines));
    this.element.classList.add("shown");
  }

  /** The boxes of fields: `{name, polygon, grade}` each. */
  setBoxes(places) {
    this.places = places.map((place) => ({ ...place, area: areaOf(place.polygon) }));
    this.#boxes.clear();
    const drawn = new Map();
    for (const { name, polygon, grade } of this.places) {
      const points = this.#points(polygon);
      if (!drawn.has(points)) drawn.set(points, svg("polygon", { points, class: `box ${grade}` }));
      this.#boxes.set(name, drawn.get(points));
    }
    this.#overlay.replaceChildren(...this.#overlay.querySelectorAll(".text"), ...drawn.values(), this.#marks);
  }

  /** Light the box of a field, or put it out. */
  light(name, isLit) {
    this.#boxes.get(name)?.classList.toggle("lit", isLit);
  }

  /** Where a field's box stands on the screen. */
  boxRect(name) {
    return this.#boxes.get(name)?.getBoundingClientRect();
  }

  /** Mark these words as meant. */
  mark(words) {
    this.#marks.replaceChildren(...words.map(({ polygon }) => svg("polygon", { points: this.#points(polygon) })));
  }

  /** Turn a quarter clockwise. */
  rotate() {
    this.turn = (this.turn + 90) % 360;
    this.#lay();
  }

  /** The point of the page, in 0..1 each way, below a point of the window. */
  point({ clientX, clientY }) {
    const box = this.#face.getBoundingClientRect();
    const [x, y] = [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
    return { 0: [x, y], 90: [y, 1 - x], 180: [1 - x, 1 - y], 270: [1 - y, x] }[this.turn];
  }

  /** The names of the fields at a point: those of the smallest box there. */
  fieldsAt([x, y]) {
    const hits = this.places.filter(({ polygon }) => isInside(bounds(polygon), x, y));
    const least = Math.min(...hits.map(({ area }) => area));
    return hits.filter(({ area }) => area === least).map(({ name }) => name);
  }

  /** The words that a rectangle between two points touches, in reading order; of one point, the word there. */
  wordsBetween([x1, y1], [x2, y2]) {
    const [left, right] = [Math.min(x1, x2), Math.max(x1, x2)];
    const [top, bottom] = [Math.min(y1, y2), Math.max(y1, y2)];
    return (this.words ?? []).filter(({ polygon }) => {
      const [l, t, r, b] = bounds(polygon);
      return l - SLACK <= right && r + SLACK >= left && t <= bottom && b >= top;
    });
  }

  #points(polygon) {
    return polygon.map(([x, y]) => `${x * WIDTH},${(y * WIDTH) / this.ratio}`).join(" ");
  }

  #lay() {
    const lies = this.turn % 180 !== 0;
    this.element.style.aspectRatio = lies ? `${1 / this.ratio}` : `${this.ratio}`;
    this.#face.style.aspectRatio = `${this.ratio}`;
    this.#face.style.width = lies ? `${100 * this.ratio}%` : "100%";
    this.#face.style.transform = `translate(-50%, -50%) rotate(${this.turn}deg)`;
  }
}

/** `[left, top, right, bottom]` of a polygon. */
function bounds(polygon) {
  const [xs, ys] = [polygon.map(([x]) => x), polygon.map(([, y]) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

function areaOf(polygon) {
  const [left, top, right, bottom] = bounds(polygon);
  return (right - left) * (bottom - top);
}

const isInside = ([left, top, right, bottom], x, y) =>
  x >= left - SLACK && x <= right + SLACK && y >= top - SLACK && y <= bottom + SLACK;
