// One decision on the page: its text, a slider over a ranking, what is decided, and the curves.

const MOST_BARS = 6; // classes whose probabilities are drawn
let panes = [];

/** Make an empty pane; `changed()` is called where somebody erases something, `slid(share)` where the slider moves. */
function newPane(parent, changed, slid) {
  const section = document.getElementById("pane").content.firstElementChild.cloneNode(true);
  parent.append(section);
  const part = (name) => section.querySelector(`.${name}`);
  const pane = { section, part, changed, slid, decision: null, results: null, ranking: 0, k: 0, byHand: false };
  part("slide").firstElementChild.oninput = (event) => {
    const k = Number(event.target.value);
    eraseFirst(pane, k);
    slid(pane);
  };
  part("flip").onclick = () => toFlip(pane);
  part("smallest").onclick = () => toSmallest(pane);
  part("reset").onclick = () => eraseFirst(pane, 0);
  part("svg").onclick = () => saveSvg(pane);
  part("png").onclick = () => savePng(pane);
  part("csv-words").onclick = () => saveWords(pane);
  part("csv-curves").onclick = () => saveCurves(pane);
  new ResizeObserver(() => { if (pane.decision) redraw(pane); }).observe(part("chart"));
  return pane;
}

/** Show a decision along a ranking with the first k erased, or the components in `erased`, or the smallest set. */
function showDecision(pane, results, decision, { ranking, k, erased, smallest }) {
  Object.assign(pane, { results, decision, ranking, k: 0, byHand: false, erased: new Uint8Array(decision.n) });
  pane.words = showWords(pane.part("words"), decision, (which, erase) => erasedByHand(pane, which, erase), (i) => look(pane, i));
  pane.part("words").classList.toggle("by-name", !decision.starts);
  const slider = pane.part("slide").firstElementChild;
  slider.max = decision.n;
  pane.part("by-hand").textContent = about(pane);
  pane.part("about").textContent = "";
  pane.part("smallest").hidden = !decision.smallest;
  pane.part("smallest").textContent = decision.smallest ? capital(smallestCalled(decision)) : "";
  pane.width = 0;
  choose(pane, ranking);
  if (smallest && decision.smallest) toSmallest(pane);
  else if (erased && decision.affine) erasedByHand(pane, erased.filter((i) => i < decision.n), true);
  else eraseFirst(pane, Math.min(k, decision.n));
}

/** Return what has to be said of this text and of erasing by hand. */
function about(pane) {
  const { decision, results } = pane;
  const said = [];
  if (!decision.starts) said.push(`This tokenizer does not tell where ${decision.unit} lie in the text, so they are shown as it writes them.`);
  if (decision.n === 0) said.push("There is nothing to attend to: the bias alone decides.");
  if (!decision.affine) said.push(results.about.byHand || "This document could not be read again as before, so its words cannot be erased by hand.");
  if (!decision.affine && !decision.limits) said.push("There are no exact limits here.");
  if (decision.truncated) said.push(`The model did not see ${decision.truncated} tokens: they are in grey.`);
  return said.join(" ");
}

/** Choose the ranking that the words are shaded and erased by. */
function choose(pane, number) {
  const { decision } = pane;
  pane.ranking = Math.max(0, Math.min(number, decision.rankings.length - 1));
  const group = pane.part("choices");
  group.replaceChildren();
  decision.rankings.forEach((ranking, at) => {
    if (ranking.kind === "smallest") return;
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", at === pane.ranking);
    button.tabIndex = at === pane.ranking ? 0 : -1;
    const swatch = document.createElement("i");
    swatch.className = `swatch ${colour(at)}`;
    const number_ = document.createElement("small");
    number_.textContent = ranking.removed === null ? "never" : rounded(ranking.removed);
    button.append(swatch, ranking.called, " ", number_);
    button.title = ranking.removed === null ? "never flips the decision" : `first flip with ${rounded(ranking.removed)} of ${decision.n} erased`;
    button.onclick = () => { chooseAgain(pane, at); };
    button.onkeydown = (event) => turned(event, pane, at);
    group.append(button);
  });
  shadeWords(pane.words, decision.rankings[pane.ranking].scores);
  redraw(pane);
}

function chooseAgain(pane, number) {
  const { k, byHand } = pane;
  choose(pane, number);
  if (!byHand) eraseFirst(pane, k);
  pane.changed(pane);
}

function turned(event, pane, at) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const offered = pane.decision.rankings.map((_, i) => i).filter((i) => pane.decision.rankings[i].kind !== "smallest");
  const to = offered[(offered.indexOf(at) + step + offered.length) % offered.length];
  chooseAgain(pane, to);
  pane.part("choices").querySelector("[aria-checked=true]").focus();
  event.preventDefault();
}

/** Return which components the first k of a ranking are. */
function firstOf(decision, ranking, k) {
  const erased = new Uint8Array(decision.n);
  for (let i = 0; i < k; i++) erased[ranking.order[i]] = 1;
  return erased;
}

/** Erase the first k along the ranking, and nothing else. */
function eraseFirst(pane, k) {
  const { decision } = pane;
  pane.k = k;
  pane.byHand = false;
  become(pane, firstOf(decision, decision.rankings[pane.ranking], k));
}

function toFlip(pane) {
  const { first } = pane.decision.rankings[pane.ranking];
  if (first !== null) eraseFirst(pane, first);
}

function toSmallest(pane) {
  const { smallest, n } = pane.decision;
  if (!smallest) return;
  pane.byHand = "smallest";
  pane.k = smallest.removed;
  become(pane, firstOf(pane.decision, smallest, Math.min(n, smallest.removed)));
}

function erasedByHand(pane, which, erase) {
  if (!pane.decision.affine) return;
  const erased = pane.erased.slice();
  for (const i of which) erased[i] = erase ? 1 : 0;
  pane.byHand = "hand";
  become(pane, erased);
}

/** Show that these components are erased. */
function become(pane, erased) {
  const before = pane.erased;
  let count = 0;
  for (let i = 0; i < erased.length; i++) {
    count += erased[i];
    if (erased[i] !== before[i]) markWord(pane.words, i, erased[i] === 1);
  }
  pane.erased = erased;
  pane.count = count;
  pane.now = decideAgain(pane);
  tell(pane);
  pane.changed(pane);
}

/** Return what is decided now: the probabilities, the class, and whether it is another one; null where not known. */
function decideAgain(pane) {
  const { decision } = pane;
  if (decision.affine) {
    const found = evaluate(decision, pane.erased);
    return { ...found, probability: found.probabilities[decision.decided], flipped: found.decided !== decision.decided };
  }
  const found = pane.byHand
    ? { probability: null, flipped: true }
    : storedAlong(decision, decision.rankings[pane.ranking], pane.k);
  const other = decision.classes.length === 2 ? 1 - decision.decided : null;
  const probabilities = pane.k === 0 ? decision.probabilities : null;
  return { ...found, probabilities, decided: found.flipped ? other : found.flipped === false ? decision.decided : null, keeps: true };
}

/** Tell what is erased and decided, in words, bars and on the curves. */
function tell(pane) {
  const { decision, now, count } = pane;
  const slider = pane.part("slide").firstElementChild;
  slider.value = pane.k;
  const unit = count === 1 ? decision.unit.replace(/s$/, "") : decision.unit;
  slider.setAttribute("aria-valuetext", `${pane.k} of ${decision.n} erased`);
  pane.part("erased").textContent = `${count} of ${decision.n} ${decision.unit} erased`;
  const readout = pane.part("readout");
  const strong = document.createElement("strong");
  const unknown = now.flipped ? `not ${decision.classes[decision.decided]}` : "not stored";
  strong.textContent = now.decided === null ? unknown : decision.classes[now.decided];
  strong.className = now.flipped ? "flipped" : "";
  const shown = now.decided !== null && now.probabilities ? now.probabilities[now.decided] : null;
  readout.replaceChildren(strong, ` ${shown === null ? "" : shown.toFixed(3)} `, sentence(pane, unit));
  bars(pane);
  pane.chart.show(count, now.probability);
  pane.section.classList.toggle("has-flipped", now.flipped === true);
}

function sentence(pane, unit) {
  const { decision, now, count } = pane;
  const said = document.createElement("span");
  const alone = now.keeps ? "" : " No attention is left: the bias alone decides.";
  const ways = { hand: "by hand", smallest: decision.smallest ? `the ${smallestCalled(decision)}` : "" };
  const way = pane.byHand ? ways[pane.byHand] : `along ${decision.rankings[pane.ranking].called}`;
  if (count === 0) said.textContent = "with nothing erased.";
  else said.textContent = `${now.flipped ? "— flipped: " : "with "}${count} ${unit} erased, ${way}.${alone}${unstored(pane)}`;
  return said;
}

/** Say where probabilities were measured, if not here. */
function unstored({ decision, now, ranking, byHand }) {
  const chosen = decision.rankings[ranking];
  const { curve, first, draws } = chosen;
  if (now.probability !== null || byHand) return "";
  const before = now.flipped === null ? ` It first flips with ${first}.` : "";
  if (isMean(chosen)) return `${before} Probabilities of this order, the first of ${draws}, were not stored.`;
  return curve ? `${before} Probabilities were measured with ${curve.k.filter((k) => k).join(", ")} erased.` : before;
}

/** Draw the probability of each class, and a mark where it was with nothing erased. */
function bars(pane) {
  const { decision, now } = pane;
  const root = pane.part("bars");
  const order = decision.probabilities.map((_, c) => c).sort((a, b) => decision.probabilities[b] - decision.probabilities[a]);
  const shown = order.slice(0, MOST_BARS);
  if (now.decided !== null && !shown.includes(now.decided)) shown[shown.length - 1] = now.decided;
  if (root.children.length !== shown.length) {
    root.replaceChildren(...shown.map(() => bar()));
  }
  shown.forEach((c, place) => {
    const [name, track, value] = root.children[place].children;
    const p = now.probabilities ? now.probabilities[c] : c === decision.decided ? now.probability : null;
    name.textContent = decision.classes[c];
    track.firstElementChild.style.width = `${100 * (p === null ? 0 : p)}%`;
    track.lastElementChild.style.left = `${100 * decision.probabilities[c]}%`;
    value.textContent = p === null ? "–" : p.toFixed(3);
    value.title = p === null ? "not computed" : String(p); // all digits
    root.children[place].classList.toggle("decided", c === now.decided);
  });
}

function bar() {
  const row = document.createElement("div");
  const [name, track, value] = ["span", "span", "span"].map((kind) => document.createElement(kind));
  track.className = "track";
  track.append(document.createElement("i"), document.createElement("b"));
  value.className = "value";
  row.append(name, track, value);
  return row;
}

/** Say in a line what is known of the component under the pointer, or in focus. */
function look(pane, component) {
  const { decision } = pane;
  const scores = decision.rankings
    .filter((ranking) => ranking.scores)
    .map((ranking) => `${ranking.called} ${signed(ranking.scores[component])}`);
  const alone = decision.affine ? evaluate(decision, only(decision.n, component)).decided : decision.singleDecision[component];
  const flips = alone === decision.decided ? "alone it does not flip" : `alone it flips to ${decision.classes[alone]}`;
  pane.part("about").textContent = `“${written(decision, component)}”: ${scores.join(", ")}; ${flips}`;
}

function only(n, component) {
  const erased = new Uint8Array(n);
  erased[component] = 1;
  return erased;
}

function signed(score) {
  return Math.abs(score) >= 0.001 || score === 0 ? score.toFixed(3) : score.toExponential(1);
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function redraw(pane) {
  const svg = pane.part("chart");
  pane.chart = drawChart(svg, pane.decision, pane.ranking, (k) => { eraseFirst(pane, k); pane.slid(pane); });
  if (pane.now) pane.chart.show(pane.count, pane.now.probability);
  legend(pane);
}

function legend(pane) {
  const { decision } = pane;
  const said = ["Under the axis: each ranking's first flip."];
  if (decision.smallest) said.push(`${decision.affine ? "Dot" : "Black mark"}: the ${smallestCalled(decision)} (${decision.smallest.removed}).`);
  const exact = decision.classes.length === 2;
  if (decision.limits) said.push(`Band: ${exact ? "all that sets of each size can reach" : "no set of any size leaves it"}.`);
  const random = decision.rankings.find(isMean);
  if (random && random.curve) said.push(`Random: mean of ${random.draws} orders; its words are the first order's.`);
  if (random && !random.curve) said.push(`Random: its words are the first of ${random.draws} orders; their mean curve was not stored.`);
  if (decision.percentile !== null) said.push(ordinary(pane));
  pane.part("legend").textContent = said.join(" ");
}

/** Say how ordinary what the head sees is, with nothing erased and at the first flip. */
function ordinary({ decision, ranking }) {
  const { called, percentile, draws } = decision.rankings[ranking];
  const before = `With nothing erased, what the head sees is further from the other documents than ${decision.percentile.toFixed(1)} % of them`;
  if (percentile === null) return `${before}.`;
  return `${before}; at the first flip along ${called}, than ${percentile.toFixed(1)} %${draws > 1 ? " at most" : ""}.`;
}
