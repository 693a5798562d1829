// Makes elements. Text goes in as text: nothing from a server or a document becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes and children. `class`, `data-…`, `aria-…` and the like are attributes;
 * `onclick` and other functions are listeners; true sets an attribute, false and null leave it out.
 */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same in a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** A drawing of the sprite `/static/icons.svg`; a label beside it says what it means. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `/static/icons.svg#${name}` }));
}

/** A push button; `label` is read out, and shown unless there is only an icon. */
export function button({ label, sign, shows = "label", ...attributes }, ...children) {
  const isBare = shows === "icon";
  return el("button", { type: "button", ...(isBare ? { "aria-label": label, title: label } : {}), ...attributes },
    sign ? icon(sign) : null, isBare ? null : label, ...children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}
