// The list of documents: searched, sorted, and drawn only as far as it is in view.

const ROW = 58; // height of a row in pixels, as in the style
const BEYOND = 6; // rows that are drawn above and below those in view

const list = { rows: [], chosen: -1, first: -1, found: null };

/** Return the ways of sorting: a name, and a value by row, of which the largest comes first; null comes last. */
function sortings(results, ranking) {
  const { index, about } = results;
  const along = about.rankings[ranking];
  const removed = index.removed[along.name] || [];
  const smallest = about.rankings.find((each) => each.kind === "smallest");
  const least = smallest ? index.removed[smallest.name] : [];
  const excess = (row) => (!smallest || removed[row] === null || least[row] === null ? null : removed[row] - least[row]);
  return [
    { name: "order of the data", value: (row) => -row },
    { name: "id", value: null },
    { name: `excess over the smallest set, ${along.called}`, value: excess, shown: (row) => (excess(row) === null ? "" : `+${rounded(excess(row))}`) },
    { name: `never flips, ${along.called}`, value: (row) => (removed[row] === null ? 1 : 0), shown: (row) => (removed[row] === null ? "never" : "") },
    { name: "rankings disagree", value: (row) => spread(results, row), shown: (row) => `${(100 * spread(results, row)).toFixed(0)} points` },
    { name: `out of the ordinary, ${along.called}`, value: (row) => index.percentile[along.name][row], shown: (row) => percent(index.percentile[along.name][row]) },
  ];
}

function percent(value) {
  return value === null ? "" : `${value.toFixed(1)} %`;
}

/** Return how far apart rankings by scores first flip a decision, as a share of all; never counts as all. */
function spread({ index, about }, row) {
  const shares = about.rankings
    .filter((each) => each.kind === "scored")
    .map((each) => { const removed = index.removed[each.name][row]; return removed === null ? 1 : removed / index.n[row]; });
  return shares.length && index.n[row] ? Math.max(...shares) - Math.min(...shares) : 0;
}

/** Sort and search the list again, and show it. */
function relist(results, ranking) {
  const ways = sortings(results, ranking);
  const select = document.getElementById("sort");
  const way = Math.max(0, select.selectedIndex);
  select.replaceChildren(...ways.map((each) => new Option(each.name)));
  select.selectedIndex = way;
  list.way = ways[way];
  const { index } = results;
  const every = index.id.map((_, row) => row).filter((row) => !list.found || list.found.has(row));
  list.rows = sorted(every, ways[way].value, index.id);
  list.results = results;
  const many = every.length === 1 ? "1 document" : `${every.length.toLocaleString("en")} documents`;
  const all = results.about.total;
  const kept = new Set(index.id).size;
  const part = kept < all ? `, of the first ${kept.toLocaleString("en")} of ${all.toLocaleString("en")}` : "";
  document.getElementById("count").textContent = `${index.target[0] === null ? many : many.replace("document", "decision")}${part}`;
  list.first = -1;
  drawList();
}

function sorted(rows, value, ids) {
  if (!value) {
    const compare = new Intl.Collator("en", { numeric: true }).compare;
    return rows.sort((a, b) => compare(ids[a], ids[b]) || a - b);
  }
  const values = new Map(rows.map((row) => [row, value(row)]));
  const key = (row) => (values.get(row) === null || values.get(row) === undefined ? -Infinity : values.get(row));
  return rows.sort((a, b) => key(b) - key(a) || a - b);
}

/** Draw the rows in view. */
function drawList() {
  const root = document.getElementById("list");
  const first = Math.max(0, Math.floor(root.scrollTop / ROW) - BEYOND);
  if (first === list.first) return;
  list.first = first;
  const last = Math.min(list.rows.length, first + Math.ceil((root.clientHeight || 600) / ROW) + 2 * BEYOND);
  const inner = document.createElement("div");
  inner.className = "rows";
  inner.style.height = `${list.rows.length * ROW}px`;
  for (let place = first; place < last; place++) inner.append(listed(list.rows[place], place));
  const top = root.scrollTop;
  root.replaceChildren(inner);
  root.scrollTop = top;
}

function listed(row, place) {
  const { index, about } = list.results;
  const item = document.createElement("div");
  item.className = "row";
  item.id = `row-${row}`;
  item.dataset.row = row;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", row === list.chosen);
  item.setAttribute("aria-posinset", place + 1);
  item.setAttribute("aria-setsize", list.rows.length);
  item.style.top = `${place * ROW}px`;
  const head = document.createElement("span");
  head.className = "head";
  const [name, decided] = [document.createElement("b"), document.createElement("span")];
  name.textContent = index.id[row];
  const wrong = index.label[row] !== null && index.label[row] !== index.decision[row];
  const target = index.target[row] === null ? "" : `${index.target[row]}: `;
  decided.textContent = `${target}${about.classes[index.decision[row]]}${wrong ? " ✗" : ""}`;
  decided.title = wrong ? `labelled ${about.classes[index.label[row]]}` : "";
  const shown = document.createElement("em");
  shown.textContent = list.way.shown ? list.way.shown(row) : "";
  head.append(name, decided, shown);
  const snippet = document.createElement("span");
  snippet.className = "snippet";
  snippet.textContent = index.snippet[row];
  item.append(head, snippet);
  return item;
}

/** Show a row as chosen, and scroll to it. */
function chooseRow(row) {
  list.chosen = row;
  list.first = -1;
  const root = document.getElementById("list");
  const place = list.rows.indexOf(row);
  if (place >= 0) {
    const top = place * ROW;
    const seen = Math.min(root.clientHeight, window.innerHeight - root.getBoundingClientRect().top) - ROW;
    if (top < root.scrollTop || top > root.scrollTop + seen) root.scrollTop = top - seen / 3;
    root.setAttribute("aria-activedescendant", `row-${row}`);
  }
  drawList();
}

/** Return the row so many places further on in the list. */
function neighbour(step) {
  const place = list.rows.indexOf(list.chosen);
  if (place < 0) return list.rows.length ? list.rows[0] : -1;
  return list.rows[Math.max(0, Math.min(list.rows.length - 1, place + step))];
}

/** Find the rows that have all words of a query in their id, text, class or label; null where nothing is asked. */
async function search(results, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  const { index, about, name } = results;
  const texts = new Map();
  for (const number of new Set(index.text.map(([at]) => at))) {
    texts.set(number, (await block(`${name}-texts-${number}`)).content);
  }
  const found = new Set();
  index.id.forEach((id, row) => {
    const [at, place] = index.text[row];
    const said = `${id}\n${index.target[row] || ""}\n${about.classes[index.decision[row]]}\n${texts.get(at)[place]}`.toLowerCase();
    if (words.every((word) => said.includes(word))) found.add(row);
  });
  return found;
}
