// The text as it was written, each component a span that can be erased.

const FAINT = 0.03; // share of the strongest score below which nothing is shaded
const FAINTEST = 10; // percent of the colour of what is shaded least

/** Fill an element with a decision's text; `act(component, erase)` is called where words are to be erased. */
function showWords(root, decision, act, look) {
  const spans = laidOut(root, decision);
  const words = { root, spans, decision, focused: -1 };
  spans.forEach((span, component) => {
    span.tabIndex = -1;
    span.setAttribute("role", "option");
    span.setAttribute("aria-selected", "false");
    span.dataset.component = component;
  });
  if (spans.length) spans[0].tabIndex = 0;
  root.onfocus = null;
  root.onpointerdown = (event) => dragged(event, words, act);
  root.onpointerover = (event) => {
    const component = componentOf(event.target);
    if (component >= 0) look(component);
  };
  root.onfocusin = (event) => {
    const component = componentOf(event.target);
    if (component < 0) return;
    if (words.focused >= 0) spans[words.focused].tabIndex = -1;
    words.focused = component;
    spans[component].tabIndex = 0;
    look(component);
  };
  root.onkeydown = (event) => typed(event, words, act);
  return words;
}

/** Put the text into the element, with white space and line ends as they are; return the spans of components. */
function laidOut(root, decision) {
  const { text, starts, ends, n } = decision;
  root.replaceChildren();
  const spans = [];
  let reached = 0;
  const cut = decision.truncated > 0;
  const middle = cut && starts && !text.slice(Math.max(0, ...ends)).trim(); // the model saw the end
  for (let i = 0; i < n; i++) {
    const span = document.createElement("span");
    const start = starts ? Math.max(starts[i], reached) : 0;
    const seen = starts ? text.slice(start, Math.max(ends[i], start)) : "";
    if (seen.trim()) {
      const blank = seen.length - seen.trimStart().length;
      between(root, text.slice(reached, start + blank), middle);
      span.className = "word";
      span.textContent = seen.trim();
      reached = start + blank + span.textContent.length;
    } else {
      // It covers no text of its own, such as [CLS], or a part of a character whose other parts came before.
      span.className = "chip";
      span.textContent = written(decision, i);
      if (!starts) root.append(" ");
    }
    spans.push(span);
    root.append(span);
  }
  if (starts) between(root, text.slice(reached), cut);
  return spans;
}

/** Append what is no component: white space, or a part that the model did not see, as its middle or its end. */
function between(root, text, truncated) {
  if (!truncated || !text.trim()) {
    root.append(text);
    return;
  }
  const unseen = document.createElement("span");
  unseen.textContent = text;
  unseen.className = "unseen";
  unseen.title = "The model did not see this part.";
  root.append(unseen);
}

/** Shade the words by scores; chips, which stand for no text, do not set the scale. */
function shadeWords(words, scores) {
  const { spans, decision } = words;
  const chip = (i) => spans[i].className.startsWith("chip");
  let strongest = 0;
  for (let i = 0; i < decision.n; i++) if (!chip(i)) strongest = Math.max(strongest, Math.abs(scores ? scores[i] : 0));
  spans.forEach((span, i) => {
    const share = scores && strongest > 0 ? Math.min(1, Math.abs(scores[i]) / strongest) : 0;
    const shaded = share >= FAINT;
    span.style.setProperty("--strength", shaded ? `${(FAINTEST + (100 - FAINTEST) * share).toFixed(1)}%` : "0%");
    span.classList.toggle("lowers", shaded && scores[i] < 0);
  });
}

/** Mark one word as erased, or not. */
function markWord(words, component, erased) {
  const span = words.spans[component];
  span.classList.toggle("erased", erased);
  span.setAttribute("aria-selected", erased);
}

function componentOf(element) {
  const span = element.closest ? element.closest("[data-component]") : null;
  return span ? Number(span.dataset.component) : -1;
}

/** Erase, or take back, every word that the pointer is dragged over. */
function dragged(event, words, act) {
  const first = componentOf(event.target);
  if (first < 0 || event.button !== 0) return;
  const erase = !words.spans[first].classList.contains("erased");
  const seen = new Set([first]);
  act([first], erase);
  const move = (moved) => {
    const under = document.elementFromPoint(moved.clientX, moved.clientY);
    const component = under && words.root.contains(under) ? componentOf(under) : -1;
    if (component < 0 || seen.has(component)) return;
    seen.add(component);
    act([component], erase);
  };
  const end = () => {
    document.removeEventListener("pointermove", move);
    document.removeEventListener("pointerup", end);
    document.removeEventListener("pointercancel", end);
  };
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", end);
  words.spans[first].focus({ preventScroll: true });
  event.preventDefault(); // no text is selected
}

function typed(event, words, act) {
  const at = componentOf(event.target);
  if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  const { spans } = words;
  if (event.key === " " || event.key === "Enter") {
    act([at], !spans[at].classList.contains("erased"));
  } else if (event.key in MOVES) {
    const to = MOVES[event.key](spans, at);
    if (event.shiftKey) {
      const way = spans.map((_, i) => i).slice(Math.min(at, to), Math.max(at, to) + 1);
      act(way, !spans[at].classList.contains("erased"));
    }
    spans[to].focus();
  } else return;
  event.preventDefault();
  event.stopPropagation();
}

const MOVES = {
  ArrowLeft: (spans, at) => Math.max(0, at - 1),
  ArrowRight: (spans, at) => Math.min(spans.length - 1, at + 1),
  ArrowUp: (spans, at) => onLine(spans, at, -1),
  ArrowDown: (spans, at) => onLine(spans, at, 1),
  Home: () => 0,
  End: (spans) => spans.length - 1,
};

/** Return the nearest word on the line above or below. */
function onLine(spans, at, step) {
  const here = spans[at].getBoundingClientRect();
  const middle = (here.left + here.right) / 2;
  let line = null;
  let best = at;
  let nearest = Infinity;
  for (let i = at + step; i >= 0 && i < spans.length; i += step) {
    const there = spans[i].getBoundingClientRect();
    const apart = Math.abs(there.top - here.top) > here.height / 2;
    if (!apart) continue;
    if (line === null) line = there.top;
    if (Math.abs(there.top - line) > there.height / 2) break;
    const distance = Math.abs((there.left + there.right) / 2 - middle);
    if (distance < nearest) [best, nearest] = [i, distance];
  }
  return best;
}
