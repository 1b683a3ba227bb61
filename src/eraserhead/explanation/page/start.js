// The page as a whole: what is shown, and the address that says so.

const page = { results: [], row: -1, beside: "", showing: 0 };
const element = (name) => document.getElementById(name);

async function start() {
  const about = JSON.parse(element("about").textContent);
  page.results = await Promise.all(about.map(async (each) => {
    const index = (await block(`${each.name}-index`)).content;
    const rows = new Map(index.id.map((id, row) => [key(id, index.target[row]), row]));
    return { about: each, name: each.name, index, rows };
  }));
  blocks.clear(); // the indexes stay, their blocks need not
  document.body.classList.toggle("one", page.results[0].index.id.length <= 1);
  tellResults();
  offerBeside();
  listen();
  relist(page.results[0], ranking0());
  await fromAddress();
}

function key(id, target) {
  return JSON.stringify([id, target]);
}

/** Return the first ranking that has scores; words are shaded by it at first. */
function ranking0() {
  return Math.max(0, page.results[0].about.rankings.findIndex((each) => each.kind === "scored"));
}

/** Say what was analysed and found, in the sentences of the results. */
function tellResults() {
  const root = element("about-results");
  for (const { about } of page.results) {
    const section = document.createElement("section");
    if (page.results.length > 1) section.append(paragraph(`Results ${about.name}`, "which"));
    const [first, ...others] = about.sentences;
    if (first) {
      const cut = first.search(/\.(\s|$)/) + 1 || first.length;
      const lead = paragraph("", "verdict");
      const strong = document.createElement("strong");
      strong.textContent = first.slice(0, cut);
      lead.append(strong, first.slice(cut));
      section.append(lead, ...others.map((each) => paragraph(each, "also")));
    }
    section.append(facts(about.facts));
    root.append(section);
  }
  const notes = page.results[0].about.notes;
  element("notes").append(...notes.map((note) => paragraph(note)));
}

function facts(lines) {
  const root = document.createElement("dl");
  root.className = "analysed";
  for (const [name, said] of lines) {
    const row = document.createElement("div");
    const [term, told] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    told.textContent = said;
    row.append(term, told);
    root.append(row);
  }
  if (lines.length <= 3) return root;
  const more = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "What was analysed";
  more.append(summary, root);
  return more;
}

function paragraph(text, name = "") {
  const found = document.createElement("p");
  found.textContent = text;
  if (name) found.className = name;
  return found;
}

/** Offer what may stand beside a decision: another ranking of it, or the same document in other results. */
function offerBeside() {
  const select = element("beside");
  select.append(new Option("nothing", ""));
  page.results.forEach((results, number) => results.about.rankings.forEach((ranking) => {
    if (ranking.kind === "smallest") return;
    const name = page.results.length > 1 ? `${results.name}: ${ranking.called}` : ranking.called;
    select.append(new Option(name, `${number}:${ranking.name}`));
  }));
  if (page.results.length > 1) page.beside = `1:${page.results[1].about.rankings[ranking0()].name}`;
}

/** Show a row of the first results, and what stands beside it. */
async function show(row, { ranking = null, k = 0, erased = null, smallest = false } = {}) {
  const showing = ++page.showing;
  element("failed").hidden = true;
  const wanted = ranking ?? (panes.length ? panes[0].ranking : ranking0());
  const asked = [{ results: page.results[0], row, ranking: wanted }];
  if (page.beside) asked.push(besideOf(row));
  const decisions = await Promise.all(asked.map((each) => each.row === undefined ? null : readDecision(each.results, each.row)));
  if (showing !== page.showing) return; // another one was asked for meanwhile
  page.row = row;
  const root = element("panes");
  const found = asked.map((each, i) => ({ ...each, decision: decisions[i] })).filter((each) => each.decision);
  while (panes.length > found.length) panes.pop().section.remove();
  while (panes.length < found.length) panes.push(newPane(root, changed, slid));
  root.classList.toggle("two", found.length > 1);
  page.quiet = true;
  found.forEach(({ results, decision, ranking: number }, i) => {
    panes[i].part("of").textContent = page.results.length > 1 ? `Results ${results.name}` : "";
    showDecision(panes[i], results, decision, { ranking: number, k, erased: i === 0 ? erased : null, smallest: i === 0 && smallest });
  });
  page.quiet = false;
  tellDocument(panes[0].decision);
  chooseRow(row);
  toAddress();
}

function besideOf(row) {
  const [number, name] = [page.beside.slice(0, 1), page.beside.slice(2)];
  const results = page.results[Number(number)];
  const { index } = page.results[0];
  const own = results.rows.get(key(index.id[row], index.target[row]));
  return { results, row: own, ranking: results.about.rankings.findIndex((each) => each.name === name) };
}

function tellDocument(decision) {
  element("name").textContent = decision.target === null ? decision.id : `${decision.id}, label “${decision.target}”`;
  const classes = decision.classes;
  const parts = [`decides ${classes[decision.decided]}`];
  if (decision.label !== null) parts.push(decision.label === decision.decided ? "as labelled" : `labelled ${classes[decision.label]}`);
  parts.push(`${decision.n.toLocaleString("en")} ${decision.unit}`);
  element("facts").textContent = parts.join(" · ");
}

function changed(pane) {
  if (page.quiet || pane !== panes[0]) return;
  toAddress();
}

/** Move the slider of the other pane to the same share of its components. */
function slid(pane) {
  for (const other of panes) {
    if (other === pane || !other.decision || !pane.decision.n) continue;
    eraseFirst(other, Math.round((pane.k / pane.decision.n) * other.decision.n));
  }
}

let addressTimer = 0;

/** Write what is shown into the address, soon: browsers allow few such changes a second. */
function toAddress() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(writeAddress, 150);
}

function writeAddress() {
  if (location.protocol === "about:") return; // inside a notebook there is no address
  const { decision, ranking, k, byHand, erased } = panes[0];
  const asked = new URLSearchParams({ id: decision.id });
  if (decision.target !== null) asked.set("target", decision.target);
  asked.set("ranking", decision.rankings[ranking].name);
  if (byHand === "smallest") asked.set("set", "smallest");
  else if (byHand) asked.set("erased", Array.from(erased, (is, i) => (is ? i : -1)).filter((i) => i >= 0).join("."));
  else asked.set("k", k);
  if (page.beside) asked.set("beside", page.beside);
  page.address = `#${asked}`;
  history.replaceState(null, "", page.address);
}

async function fromAddress() {
  if (page.address && location.hash === page.address) return;
  const asked = new URLSearchParams(location.hash.slice(1));
  const first = page.results[0];
  if (asked.has("beside") && [...element("beside").options].some((each) => each.value === asked.get("beside"))) {
    page.beside = asked.get("beside");
  }
  element("beside").value = page.beside;
  const row = first.rows.get(key(asked.get("id"), asked.get("target")));
  const ranking = first.about.rankings.findIndex((each) => each.name === asked.get("ranking") && each.kind !== "smallest");
  const k = Math.max(0, Number.parseInt(asked.get("k"), 10) || 0);
  const erased = asked.has("erased") ? asked.get("erased").split(".").filter((i) => /^\d+$/.test(i)).map(Number) : null;
  const smallest = asked.get("set") === "smallest";
  const shown = row ?? list.rows[0];
  const showing = shown === undefined ? null : show(shown, { ranking: ranking < 0 ? null : ranking, k, erased, smallest });
  if (asked.has("id") && row === undefined) fail(`There is no document ${asked.get("id")} on this page.`); // until another is shown
  await showing;
}

function listen() {
  const [field, sort, root, beside] = ["search", "sort", "list", "beside"].map(element);
  let asked = 0;
  field.oninput = async () => {
    const now = ++asked;
    const found = await search(page.results[0], field.value);
    if (now !== asked) return;
    list.found = found;
    relist(page.results[0], panes[0] ? panes[0].ranking : ranking0());
    root.scrollTop = 0;
  };
  sort.onchange = () => { relist(page.results[0], panes[0].ranking); root.scrollTop = 0; drawList(); };
  root.onscroll = () => drawList();
  root.onclick = (event) => {
    const item = event.target.closest(".row");
    if (item) show(Number(item.dataset.row));
  };
  root.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -Infinity, End: Infinity }[event.key];
    if (!step) return;
    event.preventDefault();
    turn(step);
  };
  beside.onchange = () => { page.beside = beside.value; show(page.row, kept()); };
  element("previous").onclick = () => turn(-1);
  element("next").onclick = () => turn(1);
  element("help-button").onclick = () => element("help").showModal();
  document.addEventListener("keydown", shortcut);
  window.addEventListener("hashchange", () => fromAddress());
}

/** Return what is shown in the first pane now. */
function kept() {
  const { ranking, k, byHand, erased } = panes[0];
  const smallest = byHand === "smallest";
  return { ranking, k, smallest, erased: byHand && !smallest ? Array.from(erased, (is, i) => (is ? i : -1)).filter((i) => i >= 0) : null };
}

function turn(step) {
  const row = neighbour(step);
  if (row >= 0 && row !== page.row) show(row);
}

function shortcut(event) {
  const typing = event.target.matches("input[type=search], select, textarea") || element("help").open;
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const pane = panes.find((each) => each.section.contains(event.target)) || panes[0];
  const acts = {
    "/": () => element("search").focus(),
    "?": () => element("help").showModal(),
    "[": () => turn(-1),
    "]": () => turn(1),
    f: () => toFlip(pane),
    m: () => toSmallest(pane),
    r: () => eraseFirst(pane, 0),
  };
  if (!pane || !(event.key in acts)) return;
  event.preventDefault();
  acts[event.key]();
}

function fail(message) {
  const told = element("failed");
  told.textContent = message;
  told.hidden = false;
}

document.addEventListener("DOMContentLoaded", () => {
  start().catch((error) => fail(`This page cannot be shown: ${error.message}. Open it in a current browser.`));
});
