// The curves: probability of the original decision against how many are erased.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 250;
const EDGE = { left: 38, right: 10, top: 10, bottom: 46 };
const TICKS = 8; // height of the mark of a first flip

/** Return the classes of a ranking's colour; behind the eighth, the same colours are dashed. */
function colour(number) {
  return `of-${number % 8}${number >= 8 ? " dashed" : ""}`;
}

function drawn(name, attributes, parent, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

/** Draw the curves of a decision; return how to show where one is. `at(k)` is called where the pointer goes. */
function drawChart(svg, decision, chosen, at) {
  const width = Math.max(260, svg.clientWidth || 520);
  const { n } = decision;
  const x = (k) => EDGE.left + (n ? k / n : 0) * (width - EDGE.left - EDGE.right);
  const y = (p) => EDGE.top + (1 - p) * (HEIGHT - EDGE.top - EDGE.bottom);
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("height", HEIGHT);
  svg.setAttribute("aria-label", spokenChart(decision));
  axes(svg, decision, x, y, width);
  if (decision.limits) band(svg, decision.limits, x, y);
  const numbers = decision.rankings.map((_, number) => number).filter((number) => number !== chosen);
  [...numbers, chosen].forEach((number) => {
    const ranking = decision.rankings[number]; // the chosen one is drawn above the others
    if (ranking.kind === "smallest" || !ranking.curve) return;
    const points = ranking.curve.k.map((k, i) => `${x(k).toFixed(2)},${y(ranking.curve.probability[i]).toFixed(2)}`);
    const bold = number === chosen ? " chosen" : "";
    drawn("polyline", { points: points.join(" "), class: `curve ${colour(number)}${bold}` }, svg);
    if (ranking.curve.k.length !== n + 1) measured(svg, ranking.curve, number, x, y);
  });
  flipMarks(svg, decision, chosen, x);
  smallestDot(svg, decision, x, y);
  const line = drawn("line", { y1: EDGE.top, y2: y(0), class: "cursor" }, svg);
  const dot = drawn("circle", { r: 4.5, class: "here" }, svg);
  svg.onpointerdown = (event) => followPointer(event, svg, n, width, at);
  return {
    /** Show how many are erased, and with which probability; null where that is not known. */
    show(k, probability) {
      line.setAttribute("x1", x(k));
      line.setAttribute("x2", x(k));
      dot.setAttribute("cx", x(k));
      dot.setAttribute("cy", probability === null ? y(0) : y(probability));
      dot.setAttribute("visibility", probability === null ? "hidden" : "visible");
    },
  };
}

function axes(svg, decision, x, y, width) {
  for (const p of [0, 0.25, 0.5, 0.75, 1]) {
    drawn("line", { x1: x(0), x2: width - EDGE.right, y1: y(p), y2: y(p), class: p ? "grid" : "axis" }, svg);
    if (p !== 0.25 && p !== 0.75) drawn("text", { x: x(0) - 6, y: y(p) + 4, "text-anchor": "end" }, svg, String(p));
  }
  const { n } = decision;
  const ends = [[0, "start"], [n, "end"]];
  for (const [k, anchor] of ends) drawn("text", { x: x(k), y: y(0) + 24, "text-anchor": anchor }, svg, String(k));
  drawn("text", { x: x(n / 2), y: y(0) + 24, "text-anchor": "middle" }, svg, `${decision.unit} erased`);
  const said = `probability of “${decision.classes[decision.decided]}”`;
  drawn("text", { x: x(0), y: HEIGHT - 6, class: "caption" }, svg, said);
}

function band(svg, { lower, upper }, x, y) {
  const over = Array.from(upper, (p, k) => `${x(k).toFixed(2)},${y(p).toFixed(2)}`);
  const under = Array.from(lower, (p, k) => `${x(k).toFixed(2)},${y(p).toFixed(2)}`).reverse();
  drawn("polygon", { points: [...over, ...under].join(" "), class: "band" }, svg);
}

function measured(svg, curve, number, x, y) {
  curve.k.forEach((k, i) => {
    drawn("circle", { cx: x(k), cy: y(curve.probability[i]), r: 2.5, class: `point ${colour(number)}` }, svg);
  });
}

/** Mark under the axis where each ranking first flips the decision. */
function flipMarks(svg, decision, chosen, x) {
  const base = HEIGHT - EDGE.bottom + 1;
  decision.rankings.forEach((ranking, number) => {
    if (ranking.removed === null || ranking.kind === "smallest") return;
    const at = x(ranking.removed).toFixed(2);
    const long = number === chosen ? 2 : 0;
    const mark = drawn("line", { x1: at, x2: at, y1: base, y2: base + TICKS + long, class: `flip ${colour(number)}` }, svg);
    drawn("title", {}, mark, `${ranking.called}: first flip with ${rounded(ranking.removed)} erased`);
  });
}

function smallestDot(svg, decision, x, y) {
  const { smallest } = decision;
  if (!smallest) return;
  const p = smallestProbability(decision);
  const [at, base] = [x(smallest.removed), HEIGHT - EDGE.bottom + 1];
  const mark = p === null
    ? drawn("line", { x1: at, x2: at, y1: base, y2: base + 2 * TICKS, class: "smallest-mark" }, svg)
    : drawn("circle", { cx: at, cy: y(p), r: 5, class: "smallest" }, svg);
  drawn("title", {}, mark, `${smallestCalled(decision)}: ${smallest.removed}`);
}

/** Return the probability of the original decision without the smallest set; null where that is not known. */
function smallestProbability(decision) {
  if (!decision.affine) return null;
  return evaluate(decision, firstOf(decision, decision.smallest, decision.smallest.removed)).probabilities[decision.decided];
}

function smallestCalled(decision) {
  return decision.smallest.name === "minimum" ? "smallest set" : "smallest set found";
}

function spokenChart(decision) {
  const flips = decision.rankings
    .filter((ranking) => ranking.removed !== null)
    .map((ranking) => `${ranking.called} flips with ${rounded(ranking.removed)} of ${decision.n} erased`);
  return `Probability of ${decision.classes[decision.decided]} as more is erased. ${flips.join("; ")}.`;
}

function followPointer(event, svg, n, width, at) {
  const k = (moved) => {
    const box = svg.getBoundingClientRect();
    const place = ((moved.clientX - box.left) / box.width) * width;
    return Math.round(Math.min(1, Math.max(0, (place - EDGE.left) / (width - EDGE.left - EDGE.right))) * n);
  };
  at(k(event));
  svg.setPointerCapture(event.pointerId);
  svg.onpointermove = (moved) => at(k(moved));
  svg.onpointerup = svg.onpointercancel = () => { svg.onpointermove = null; };
}

function rounded(number) {
  return Number.isInteger(number) ? String(number) : number.toFixed(1);
}
