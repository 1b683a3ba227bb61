"""The first lines of erasure results: what was analysed, and how."""

from collections.abc import Iterable

from eraserhead.data.provenance import Truncation
from eraserhead.erasure.advantages import RandomOrders
from eraserhead.erasure.conditions import half_precision_line, labels_line, loading_line, seen_in_training
from eraserhead.erasure.setup import Setup
from eraserhead.erasure.summary import Summary
from eraserhead.loading.config import ALL, LARGEST, PREDICTED
from eraserhead.loading.setup import LabelSetup, SiteSetup, read_at_most
from eraserhead.method.names import ATTENTION, GRADIENT, PRODUCT, TOKENS
from eraserhead.models.architecture import CUT, HEAD_TAIL, WINDOWS
from eraserhead.showing.terminal import interval, percent

SHORTEST = 0.001  # seconds that are written out
LABELS_NOTE = "Each document's labels weigh together as one document."


def site_line(site: SiteSetup) -> str:
    """Return one line that says where weights are erased, and which."""
    parts = [f"site: {site.site}{'' if site.components in (TOKENS, site.site) else f' over {site.components}'}"]
    if site.words_by == "white_space":
        parts.append("words are what stands between white space")
    if site.heads is not None:
        parts.append(f"heads {', '.join(map(str, site.heads))}")
    parts.append("special tokens are components" if site.special_tokens else "special tokens left out")
    if site.targets is not None:
        parts.append(targets_line(site.targets))
    if site.dtype != "float32":
        parts.append(site.dtype)
    if site.unlisted is not None:
        parts.append(f"its family '{site.unlisted}' proved by probes of this model alone")
    return ", ".join(parts)


def targets_line(labels: LabelSetup) -> str:
    """Return which labels are looked at, and when one is on."""
    words: dict[tuple[str, ...], str] = {
        (PREDICTED,): "each label that is on, else the largest",
        (LARGEST,): "the largest label",
        (ALL,): "all labels",
    }
    named = words.get(labels.target) or f"label{'s' * (len(labels.target) > 1)} {', '.join(labels.target)}"
    return f"{named} (on above a {labels.threshold_on} of {labels.threshold:g})"


def header(summary: Summary) -> Iterable[str]:
    """Yield what was analysed and how, a line each."""
    setup, documents = summary.setup, summary.documents
    base = setup.model.base
    merged = "" if base is None else f", a {base.adapter} adapter merged into {base.name}"
    yield f"model      {setup.model.name}{merged} ({site_line(setup.site)})"
    if loaded := loading_line(setup.model):
        yield f"loaded     {loaded}"
    source = " from ".join(part for part in (setup.data.name, setup.data.path) if part) or "given texts"
    yield (f"data       {source}, split {setup.data.split}: {documents.total} documents, {documents.analysed} analysed")
    if setup.part is not None:
        of = f"of the {setup.data.documents:,} documents, dealt by a hash of their ids"
        yield f"part       {setup.part} {of}: numbers and intervals are over this part alone"
    if seen := seen_in_training(documents):
        yield f"training   {seen}"
    if labels := labels_line(summary):
        yield f"labels     {labels}"
    left_out = {
        "without components": documents.without_components,
        "with one component": documents.with_one_component,
    }
    if any(left_out.values()):
        yield "left out   " + ", ".join(f"{count} {what}" for what, count in left_out.items() if count)
    if setup.limits.long_documents != CUT:
        yield f"read       {read_at_most(setup.limits)}"
    if summary.truncation.truncated_documents:
        yield _cut_off(summary.truncation, setup)
    if documents.decided_otherwise_by_model:
        count = documents.decided_otherwise_by_model
        yield f"close      {count} documents have another decision in the model's own precision"
    if summary.half_precision is not None:
        yield f"precision  {half_precision_line(summary.half_precision, setup.site.dtype)}"
    yield from _way(summary)
    yield from _accuracy(summary)


def _way(summary: Summary) -> Iterable[str]:
    """Yield how it was analysed, as far as that is not as always."""
    setup = summary.setup
    if summary.random_orders is not None:
        yield f"random     {_random_orders(summary.random_orders)}"
    yield from _rankings(summary)
    if summary.run.search_seconds is not None and summary.beyond_rankings is not None:
        seconds, beyond = summary.run.search_seconds, percent(summary.beyond_rankings)
        yield f"search     {setup.site.search}: smaller sets than any ranking's on {beyond} %, in {seconds:.1f} s"
    if setup.random_other == "position":
        yield "test 1     the other component is drawn from all positions but the first, the top among them"
    if setup.count_never_as == "all":
        yield "never      counts as a flip when everything is erased: fraction and mass 1, not larger than everything"
    if summary.run.earlier_shards:
        yield f"continued  {summary.run.earlier_shards} shards are of earlier calls; times are the last call's"
    if summary.run.parts is not None:
        yield f"merged     {summary.run.parts} parts, made on {summary.run.devices}; times are added up"


def _rankings(summary: Summary) -> Iterable[str]:
    """Yield where scores come from, and what those cost that are not Serrano & Smith's."""
    setup, run = summary.setup, summary.run
    for name, source in setup.ranking_sources.items():
        spans = run.unlaid_spans.get(name, 0)
        said = f"; {spans:,} of its spans lie on no component" if spans else ""
        yield f"ranking    {name} is from {source}{said}"
    spent = {name: seconds / run.ranked for name, seconds in run.ranking_seconds.items()} if run.ranked else {}
    costs = [f"{name} {_seconds(cost)}" for name, cost in spent.items() if name not in (ATTENTION, GRADIENT, PRODUCT)]
    if costs:
        yield f"cost       seconds a document: {', '.join(costs)}"
    for name, missed in run.missed_sums.items():
        yield f"sums       {name} of a document misses the change of its margin by up to {missed:.2g}"


def _seconds(cost: float) -> str:
    return f"{cost:.3f}" if cost >= SHORTEST else f"< {SHORTEST}"


def _random_orders(random: RandomOrders) -> str:
    orders = f"{random.count} order{'s' * (random.count > 1)} for each document"
    if random.count == 1:
        return orders
    if random.widening is None:
        return f"{orders}; documents differ no more than orders do, so its intervals tell of the orders alone"
    return f"{orders}, which make its intervals at most {100 * random.widening:.1f} % wider than endless orders would"


def _accuracy(summary: Summary) -> Iterable[str]:
    if summary.labels is not None:
        yield f"decisions  {summary.labels.cases} states of labels. {LABELS_NOTE}"
    if summary.accuracy.value is not None:
        of_what = " of the states of all labels" if summary.labels else ""
        yield f"accuracy   {interval(summary.accuracy)}{of_what}{_fair(summary)}"
    if summary.labels is not None and summary.labels.micro_f1.value is not None:
        yield f"F1         micro {interval(summary.labels.micro_f1)}, macro {interval(summary.labels.macro_f1)}"


def _fair(summary: Summary) -> str:
    if not seen_in_training(summary.documents):
        return ""
    fair = summary.fair_accuracy
    if not fair.count:
        return "; training saw every labelled document among them"
    return f"; {interval(fair)} over the {fair.count:,} documents that training did not see"


def _cut_off(cut: Truncation, setup: Setup) -> str:
    whole = f"{cut.truncated_sentences:,} whole sentences among them, " if cut.truncated_sentences else ""
    limits = setup.limits
    limit = f"the limit of {limits.tokens}"
    if limits.tokens is None:
        limit = f"the limit of {limits.sentences} sentences of {limits.sentence_tokens} tokens"
    elif limits.long_documents == WINDOWS:
        assert limits.windows is not None  # nothing is cut off without a limit
        limit = f"the limit of {limits.windows} window{'s' * (limits.windows > 1)}"
    elif limits.long_documents == HEAD_TAIL:
        limit += ", from the middle"
    return (
        f"cut off    {cut.truncated_tokens:,} tokens ({100 * cut.share:.1f} %) of {cut.truncated_documents} documents, "
        f"{whole}beyond {limit}"
    )
