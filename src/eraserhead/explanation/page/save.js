// What can be taken away: the picture, and the numbers.

const COPIED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "fill-opacity", "font-size", "font-family"];
const MARGIN = 16;
const NO_PNG = "This browser cannot draw the picture as PNG; save it as SVG.";

/** Hand a file to the browser. */
function hand(name, content, kind) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function fileName(pane, ending) {
  const { id, target, rankings } = pane.decision;
  const parts = [id, target, rankings[pane.ranking].name].filter((part) => part !== null);
  return `${parts.join("-").replace(/[^\w.-]+/g, "-")}${ending}`;
}

/** Return the picture as SVG: what is decided, the text as it stands on the page, and the curves. */
function picture(pane) {
  const [words, chart] = [pane.part("words"), pane.part("chart")];
  const [area, curves] = [words.getBoundingClientRect(), chart.getBoundingClientRect()];
  const width = Math.ceil(Math.max(area.width, curves.width) + 2 * MARGIN);
  const top = MARGIN + 30;
  const below = top + area.height + MARGIN + curves.height;
  const height = Math.ceil(below + 2 * MARGIN);
  const svg = drawn("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}` });
  const style = getComputedStyle(document.body);
  drawn("rect", { width, height, fill: style.backgroundColor }, svg);
  const said = pane.part("readout").textContent;
  drawn("text", { x: MARGIN, y: MARGIN + 14, fill: style.color, "font-size": 15, "font-family": style.fontFamily }, svg, `${pane.decision.id}: ${said}`);
  textOf(words, svg, MARGIN - area.left, top - area.top);
  const copy = styledCopy(chart);
  copy.setAttribute("x", MARGIN);
  copy.setAttribute("y", top + area.height + MARGIN);
  copy.setAttribute("width", curves.width);
  copy.setAttribute("height", curves.height);
  svg.append(copy);
  names(pane, svg, below + MARGIN / 2, style.fontFamily);
  return { svg, width, height };
}

/** Write the names of the rankings in the colours of their curves. */
function names({ decision, part }, svg, y, font) {
  const line = drawn("text", { x: MARGIN, y, "font-size": 12, "font-family": font }, svg);
  const swatches = part("choices").querySelectorAll(".swatch");
  decision.rankings.filter((each) => each.kind !== "smallest").forEach((ranking, at) => {
    const fill = getComputedStyle(swatches[at]).color;
    drawn("tspan", { fill, dx: at ? 14 : 0 }, line, `— ${ranking.called}`);
  });
}

/** Draw the text of an element where its lines are on the page, with what is behind the words. */
function textOf(root, svg, right, down) {
  const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    const node = nodes.currentNode;
    const style = getComputedStyle(node.parentElement);
    for (const piece of node.data.matchAll(/\S+/g)) {
      const range = document.createRange();
      range.setStart(node, piece.index);
      range.setEnd(node, piece.index + piece[0].length);
      const box = range.getBoundingClientRect();
      const place = { x: box.left + right, y: box.top + down };
      const behind = style.backgroundColor;
      if (behind !== "rgba(0, 0, 0, 0)") drawn("rect", { ...place, width: box.width, height: box.height, rx: 2, fill: behind }, svg);
      const line = place.y + box.height * 0.76;
      const look = { fill: style.color, "font-size": style.fontSize, "font-family": style.fontFamily };
      drawn("text", { x: place.x, y: line, textLength: box.width, ...look }, svg, piece[0]);
      const middle = place.y + box.height * 0.55;
      if (style.textDecorationLine.includes("line-through")) {
        drawn("line", { x1: place.x, x2: place.x + box.width, y1: middle, y2: middle, stroke: style.color }, svg);
      }
    }
  }
}

/** Return a copy of a drawing that carries its style in attributes. */
function styledCopy(chart) {
  const copy = chart.cloneNode(true);
  const [from, to] = [chart.querySelectorAll("*"), copy.querySelectorAll("*")];
  from.forEach((each, at) => {
    const style = getComputedStyle(each);
    for (const name of COPIED) to[at].setAttribute(name, style.getPropertyValue(name));
    to[at].removeAttribute("class");
  });
  copy.removeAttribute("class");
  return copy;
}

/** Write a picture as XML, which has no place for most control characters; a sign stands for each. */
function xml(svg) {
  return new XMLSerializer().serializeToString(svg).replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd");
}

function saveSvg(pane) {
  hand(fileName(pane, ".svg"), xml(picture(pane).svg), "image/svg+xml");
}

function savePng(pane) {
  const { svg, width, height } = picture(pane);
  const source = new Blob([xml(svg)], { type: "image/svg+xml" });
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * width, 2 * height]; // two dots for each pixel of the page
    const context = canvas.getContext("2d");
    context.scale(2, 2);
    context.drawImage(image, 0, 0);
    canvas.toBlob((png) => (png ? hand(fileName(pane, ".png"), png, "image/png") : fail(NO_PNG)));
    URL.revokeObjectURL(image.src);
  };
  image.onerror = () => {
    fail(NO_PNG);
    URL.revokeObjectURL(image.src);
  };
  image.src = URL.createObjectURL(source);
}

/** Return how many characters stand before each place in a text; of some characters JavaScript counts two places. */
function charactersBefore(text) {
  const before = new Int32Array(text.length + 1);
  for (let i = 0; i < text.length; i++) before[i + 1] = before[i] + (text.codePointAt(i) > 0xffff ? 0 : 1);
  return before;
}

/**
 * Save a row for each component: what it is, its scores and places by ranking, and what an affine head adds of it.
 * Offsets are in characters, as in the tables of results.
 */
function saveWords(pane) {
  const { decision, erased } = pane;
  const scored = decision.rankings.filter((each) => each.scores);
  const before = charactersBefore(decision.text);
  const [starts, ends] = [decision.starts, decision.ends].map((places) => places && places.map((place) => before[place]));
  const places = decision.rankings.map((each) => placesOf(each.order));
  const head = ["component", "text", "start", "end", "erased"];
  head.push(...scored.map((each) => `${each.name}_score`), ...decision.rankings.map((each) => `${each.name}_place`));
  if (decision.affine) head.push("weight", ...decision.classes.map((name) => `logit_${name}`));
  const rows = Array.from({ length: decision.n }, (_, i) => {
    const row = [i, written(decision, i), starts ? starts[i] : "", ends ? ends[i] : "", erased[i]];
    row.push(...scored.map((each) => each.scores[i]), ...places.map((each) => each[i]));
    if (decision.affine) row.push(decision.weights[i], ...decision.classes.map((_, c) => decision.logits[c * decision.n + i]));
    return row;
  });
  hand(fileName(pane, "-words.csv"), csv([head, ...rows]), "text/csv");
}

function placesOf(order) {
  const places = new Array(order.length);
  order.forEach((component, place) => { places[component] = place + 1; });
  return places;
}

/** Save the curves: how many are erased, the probability of the decision along each ranking, and the limits. */
function saveCurves(pane) {
  const { decision } = pane;
  const curves = decision.rankings.filter((each) => each.curve && each.kind !== "smallest");
  const steps = [...new Set(curves.flatMap((each) => each.curve.k))].sort((a, b) => a - b);
  const head = ["erased", ...curves.map((each) => each.name)];
  if (decision.limits) head.push("lowest", "highest");
  const rows = steps.map((k) => {
    const row = [k, ...curves.map(({ curve }) => { const at = curve.k.indexOf(k); return at < 0 ? "" : curve.probability[at]; })];
    if (decision.limits) row.push(decision.limits.lower[k], decision.limits.upper[k]);
    return row;
  });
  hand(fileName(pane, "-curves.csv"), csv([head, ...rows]), "text/csv");
}

/** Write rows as CSV; no text can be taken for a formula by a spreadsheet. */
function csv(rows) {
  const cell = (value) => {
    if (typeof value === "number") return String(value);
    const harmless = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
  };
  return `${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}
