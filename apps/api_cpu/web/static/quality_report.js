// The figures of an evaluation: scores as people read them, mistakes as a list, reliability as a drawing.

import { svg } from "/static/elements.js";
import { percent, t } from "/static/language.js";

const SIDE = 220;
const LEFT = 34;

/** A score with three decimals; a dash where nothing was judged. */
export function exactScore({ exact }, measure) {
  return exact[measure] === null || exact[measure] === undefined ? "–" : Number(exact[measure]).toFixed(3);
}

/** Every mistake of an evaluation's items: `{file, field, truth, answer, relaxed}`, as texts. */
export function mistakesOf(items) {
  return items.flatMap(({ file, id, mistakes }) => mistakes.map(({ field, truth, answer, relaxed }) =>
    ({ file: file ?? id, field, truth: told(truth), answer: told(answer), relaxed })));
}

/** How often answers of a confidence were right: a bar a group, on the diagonal where it keeps its word. */
export function reliabilityChart(groups) {
  const judged = groups.filter(({ count }) => Number(count));
  const x = (share) => LEFT + Number(share) * SIDE;
  const y = (share) => SIDE + 8 - Number(share) * SIDE;
  const ticks = [0, 0.5, 1].flatMap((share) => [
    svg("text", { x: x(share), y: SIDE + 26, "text-anchor": "middle" }, percent(share)),
    svg("text", { x: LEFT - 4, y: y(share) + 4, "text-anchor": "end" }, `${share * 100}`)]);
  return svg("svg", { viewBox: `0 0 ${SIDE + LEFT + 20} ${SIDE + 32}`, class: "chart", role: "img", "aria-label": t("quality.chart") },
    svg("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: "diagonal" }),
    svg("path", { d: `M${x(0)} ${y(1)}V${y(0)}H${x(1)}`, class: "axis" }),
    judged.map(({ mean_confidence: said, accuracy, count }) => svg("circle", { cx: x(said), cy: y(accuracy), r: 3 + Math.min(9, Math.sqrt(count)) },
      svg("title", {}, t("quality.group", { said: percent(said), right: percent(accuracy), count })))),
    ticks);
}

function told(value) {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.map((row) => Object.values(row).filter((cell) => cell !== null).join(" ")).join("; ");
  return String(value);
}
