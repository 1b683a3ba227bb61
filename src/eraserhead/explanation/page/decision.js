// One decision, and what erasing does to it: exactly where its head is affine, else as far as it was stored.

// Multiplying by a power of two is exact, and keeps tiny weights in the range of full precision, as in Python.
const LIFT = 2 ** 500;

/** Return a promise of the decision in a row of results. */
async function readDecision(results, row) {
  const { index, about, name } = results;
  const [textBlock, textPlace] = index.text[row];
  const [texts, numbers] = await Promise.all([
    block(`${name}-texts-${textBlock}`),
    block(`${name}-numbers-${index.block[row]}`),
  ]);
  const own = numbers.content[index.place[row]];
  const { array } = numbers;
  const n = index.n[row];
  const affine = "weights" in own;
  const decision = {
    id: index.id[row],
    target: index.target[row],
    text: texts.content[textPlace],
    label: index.label[row],
    decided: index.decision[row],
    classes: about.classes,
    unit: about.unit,
    n,
    affine,
    probabilities: own.probabilities,
    truncated: own.truncated,
    percentile: own.percentile,
    ...offsets(own, array),
    names: own.names,
  };
  if (affine) {
    decision.weights = array(own.weights);
    decision.logits = array(own.logits); // a class after the other
    decision.bias = array(own.bias);
    decision.terms = termsOf(decision);
    if (own.lower) decision.limits = { lower: probabilities(array(own.lower)), upper: probabilities(array(own.upper)) };
  } else {
    decision.singleDecision = array(own.singleDecision);
    decision.singleJs = array(own.singleJs);
  }
  decision.rankings = own.rankings.map((each, at) => rankingOf(decision, each, about.rankings[at], array));
  decision.rankings.forEach((each) => { each.percentile = index.percentile[each.name][row]; });
  decision.smallest = decision.rankings.find((each) => each.kind === "smallest" && each.removed !== null);
  return decision;
}

/** Return where components begin and end in the text, of the gaps between them and their lengths. */
function offsets(own, array) {
  if (!own.gaps) return { starts: null, ends: null };
  const [gaps, lengths] = [array(own.gaps), array(own.lengths)];
  const [starts, ends] = [new Int32Array(gaps.length), new Int32Array(gaps.length)];
  for (let i = 0; i < gaps.length; i++) {
    starts[i] = (i ? ends[i - 1] : 0) + gaps[i];
    ends[i] = starts[i] + lengths[i];
  }
  return { starts, ends };
}

function rankingOf(decision, own, about, array) {
  const flipping = own.removed.filter((removed) => removed !== null);
  const mean = flipping.reduce((sum, removed) => sum + removed, 0) / flipping.length;
  const order = array(own.order);
  const ranking = {
    ...about,
    order,
    draws: own.removed.length,
    removed: flipping.length ? mean : null, // of random: mean over the orders that flip
    first: own.removed[0], // of the order that is shown
    scores: own.scores ? finely(array(own.scores), own.largest) : null,
    curve: null,
  };
  if (about.name === "attention" && decision.affine) ranking.scores = decision.weights;
  if (own.curve) {
    const k = own.k ? Array.from(array(own.k)) : Array.from(array(own.curve), (_, at) => at);
    const probability = Array.from(probabilities(array(own.curve)));
    if (k.length && k[0] > 0) {
      k.unshift(0);
      probability.unshift(decision.probabilities[decision.decided]);
    }
    ranking.curve = { k, probability };
  } else if (decision.affine && !isMean(ranking)) {
    ranking.curve = along(decision, order);
  }
  return ranking;
}

/** Tell whether the curve of a ranking is a mean over orders, of which only the first is on the page. */
function isMean(ranking) {
  return ranking.kind === "random" && ranking.draws > 1;
}

/** Return `a_i (u_i + b)` of each component and class, and behind these `a_i` itself, all lifted. */
function termsOf({ n, weights, logits, bias }) {
  const classes = bias.length;
  const terms = new Float64Array(n * (classes + 1));
  for (let i = 0; i < n; i++) {
    const lifted = weights[i] * LIFT;
    for (let c = 0; c < classes; c++) terms[i * (classes + 1) + c] = lifted * (logits[c * n + i] + bias[c]);
    terms[i * (classes + 1) + classes] = lifted;
  }
  return terms;
}

/** Decide with components erased: the logits, their softmax, the class, and whether any weight is left. */
function evaluate(decision, erased) {
  const classes = decision.bias.length;
  const sums = new Float64Array(classes + 1);
  for (let i = 0; i < decision.n; i++) if (!erased[i]) add(sums, decision.terms, i);
  return evaluated(sums, decision.bias);
}

function add(sums, terms, component) {
  const width = sums.length;
  for (let c = 0; c < width; c++) sums[c] += terms[component * width + c];
}

function evaluated(sums, bias) {
  const mass = sums[bias.length];
  const keeps = mass > 0;
  const scaled = keeps ? sums.subarray(0, bias.length) : bias;
  let decided = 0; // among equals the lowest, and before a division could make or break a tie
  for (let c = 1; c < bias.length; c++) if (scaled[c] > scaled[decided]) decided = c;
  const logits = Array.from(scaled, (sum) => (keeps ? sum / mass : sum));
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const whole = powers.reduce((sum, power) => sum + power, 0);
  return { logits, probabilities: powers.map((power) => power / whole), decided, keeps };
}

/** Return the probability of the decision with the first 0, 1, ... components of an order erased. */
function along(decision, order) {
  const { n, bias, decided, terms } = decision;
  const sums = new Float64Array(bias.length + 1);
  const probability = new Float64Array(n + 1);
  for (let k = n; k >= 0; k--) {
    if (k < n) add(sums, terms, order[k]);
    probability[k] = evaluated(sums, bias).probabilities[decided];
  }
  return { k: Array.from(probability, (_, k) => k), probability };
}

/**
 * Return what is known of a decision without closed forms, along a ranking with the first k erased: the probability
 * where it was measured, and whether the decision is another one. That is stored up to the first flip; behind it, it
 * follows from a probability above a half, or, of two classes, below. Null where it is not known: a mean over orders
 * says nothing of the one order whose words are erased.
 */
function storedAlong(decision, ranking, k) {
  const { first, curve } = ranking;
  const at = curve && !isMean(ranking) ? curve.k.indexOf(k) : -1;
  const measured = at >= 0 ? curve.probability[at] : null;
  const probability = k === 0 ? decision.probabilities[decision.decided] : measured;
  if (first === null || k <= first) return { probability, flipped: k === first };
  if (probability === null) return { probability, flipped: null };
  if (probability > 0.5 + 1 / FINE) return { probability, flipped: false };
  return { probability, flipped: decision.classes.length === 2 && probability < 0.5 - 1 / FINE ? true : null };
}

/** Return the part of the text that a component covers, or the name of one that covers none. */
function written(decision, component) {
  const { starts, ends, names, text } = decision;
  if (!starts) return names[component];
  return text.slice(starts[component], ends[component]).trim() || names[component] || "␣";
}
