"""Results as tables for the terminal; views of ``summary.json`` and of an `Explanation`, never computations."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from eraserhead.showing.escapes import visible

if TYPE_CHECKING:  # for its types alone: showing results needs no torch
    from eraserhead.patch.families import Family

WIDTH = 124  # where the output is not a terminal
MEANS = {  # by how a document that never flips is counted
    "beyond_all": (
        "Means are over the n documents (and, of random, the draws) whose decision changes, whether or not attention "
        "is left; quantiles, shares, pairs are over all."
    ),
    "all": "Means, quantiles, shares, pairs are over all documents, whether or not their decisions change.",
}
NOTES = (
    "In brackets: 95 % bootstrap intervals over documents. {means} JS: Jensen-Shannon divergence from the original "
    "distribution; dJS: that of the top minus that of another component; spread: standard deviation over a document's "
    "draws. As short: of the documents on which the smallest set flips at all. A document's random draws are averaged "
    "for quantiles; one that never flips makes the average > all."
)
UPPER_BOUND = "Upper bound: the smallest flipping set that was found, which may not be the smallest there is."
NONE, NEVER = "-", "> all"
BEST_FOUND = "best_found"
NAMES = {BEST_FOUND: "upper bound"}  # of rankings, where they are not called as in the results
TITLES = {
    "outcomes": "What erasing along a ranking comes to, % of documents",
    "fraction": "Fraction of the components erased before the decision flips",
    "minimum": "Against the exact minimum",
    "best_found": "Against the smallest set found, an upper bound of the minimum",
    "pairs": "Which ranking needs strictly fewer removals, % of documents",
    "tests": "Test 1: one weight erased, % of documents (exactly over all other components)",
    "tests_by_position": "Test 1: one weight erased, % of documents (exactly over all positions but the first)",
}


def console() -> Console:
    """Return a console as wide as the terminal, and of a fixed width elsewhere; strings have no markup there."""
    found = Console(markup=False, emoji=False)
    return found if found.is_terminal else Console(width=WIDTH, markup=False, emoji=False)


def literal(text: str) -> Text:
    """Return a text that any console shows as it is: without markup, its control characters visible."""
    return Text(visible(text))


def metrics_view(metrics: Mapping[str, Any]) -> RenderableType:
    """Return the metrics of the best epoch on validation and test documents."""
    names = [name for name in metrics["validation"] if name not in ("epoch", "loss", "seconds")]
    title = f"Best epoch: {metrics['best_epoch']} of {len(metrics['epochs'])}"
    table = new_table(title, "documents", *(name.replace("_", " ") for name in names))
    for role in ("validation", "test"):
        if metrics[role] is not None:
            add_row(table, role, *(f"{metrics[role][name]:.4f}" for name in names))
    return table


def summary_view(summary: Mapping[str, Any]) -> RenderableType:
    """Return everything that `eraserhead show` prints."""
    return Group(
        *map(literal, _header(summary)),
        *(
            Padding(table, (1, 0, 0, 0))
            for table in (
                _fractions(summary["rankings"]),
                _outcomes(summary["rankings"]),
                _yardstick(summary),
                _pairs(summary["pairs"]),
                _tests(summary),
            )
            if table.row_count
        ),
        Text(f"\n{answer(summary)}", style="bold"),
        Text(_notes(summary), style="dim"),
    )


def families_view(families: "Mapping[str, Family]") -> RenderableType:
    """Return the table of model families."""
    headings = ("family", "erased through", "decision read from", "tokens left out at `all`")
    table = new_table("Families inside of which attention can be erased", "model_type", *headings)
    for column in table.columns:
        column.justify = "left"
    for name, family in families.items():
        read_out = family.read_out.value if isinstance(family.read_out, Enum) else "as classifier_pooling says"
        left_out = "yes" if family.positions is not None else "no"
        add_row(table, name, family.name, family.route.value, read_out, left_out)
    return table


def answer(summary: Mapping[str, Any]) -> str:
    """Return the answer in a sentence: does attention find what the decision rests on?"""
    pair = next((p for p in summary["pairs"] if (p["first"], p["second"]) == ("attention", "random")), None)
    if pair is None or pair["fewer"]["value"] is None:
        return "No document has two components or more: there is nothing to compare."
    fewer, more = pair["fewer"], pair["more"]
    if fewer["value"] == more["value"] == 0:
        return (
            "Erasing along attention flips no decision sooner or later than erasing at random: nothing to tell apart."
        )
    if fewer["low"] > more["high"]:
        verdict = "Attention finds what the decision rests on better than chance"
    elif more["low"] > fewer["high"]:
        verdict = "Attention finds what the decision rests on worse than chance"
    else:
        verdict = "Attention is not distinguishable from chance here"
    numbers = f"fewer removals than random on {percent(fewer)} % of documents, more on {percent(more)} %"
    optimal = summary["rankings"]["attention"].get("optimal", {"value": None})
    inside = summary["yardstick"] == BEST_FOUND
    yardstick = "the smallest set found, an upper bound of the minimum," if inside else "the exact minimum"
    least = f"; it is as short as {yardstick} on {percent(optimal)} %" if optimal["value"] is not None else ""
    return f"{verdict}: {numbers}{least}."


def _header(summary: Mapping[str, Any]) -> Iterable[str]:
    configuration, documents, cut = summary["configuration"], summary["documents"], summary["truncation"]
    data = configuration["data"]
    yield f"model      {configuration['model']['name']} ({site_line(configuration)})"
    source = " from ".join(part for part in (data["name"], data["path"]) if part) or "given texts"
    counts = f"{documents['total']} documents, {documents['analysed']} analysed"
    yield f"data       {source}, split {data['split']}: {counts}"
    left_out = {
        "without components": documents["without_components"],
        "with one component": documents["with_one_component"],
    }
    if any(left_out.values()):
        yield "left out   " + ", ".join(f"{count} {what}" for what, count in left_out.items() if count)
    if cut["truncated_documents"]:
        lost = 100 * cut["truncated_tokens"] / (cut["tokens"] + cut["truncated_tokens"])
        yield (
            f"cut off    {cut['truncated_tokens']:,} tokens ({lost:.1f} %) of {cut['truncated_documents']} documents, "
            f"{_whole_sentences(cut)}behind the limit of {_limit(configuration)}"
        )
    if documents["decided_otherwise_by_model"]:
        count = documents["decided_otherwise_by_model"]
        yield f"close      {count} documents are decided otherwise in the model's own precision"
    if configuration.get("search", "none") != "none":
        seconds, beyond = summary["run"]["search_seconds"], percent(summary["beyond_rankings"])
        yield f"search     {configuration['search']}: smaller sets than any ranking's on {beyond} %, in {seconds:.1f} s"
    if _by_position(configuration):
        yield "test 1     the other component is drawn from all positions but the first, the top among them"
    if _never_counts_as(configuration) == "all":
        yield "never      counts as a flip when everything is erased: fraction and mass 1, not larger than everything"
    if summary["accuracy"]["value"] is not None:
        yield f"accuracy   {interval(summary['accuracy'])}"


def _by_position(configuration: Mapping[str, Any]) -> bool:
    return configuration.get("random_other") == "position"


def _never_counts_as(configuration: Mapping[str, Any]) -> str:
    return configuration.get("count_never_as", "beyond_all")


def _notes(summary: Mapping[str, Any]) -> str:
    notes = NOTES.format(means=MEANS[_never_counts_as(summary["configuration"])])
    return f"{UPPER_BOUND} {notes}" if summary["yardstick"] == BEST_FOUND else notes


def _whole_sentences(cut: Mapping[str, Any]) -> str:
    whole = cut.get("truncated_sentences", 0)
    return f"{whole:,} sentences of them whole, " if whole else ""


def _limit(configuration: Mapping[str, Any]) -> str:
    if "max_length" in configuration:
        return str(configuration["max_length"])
    return f"{configuration['max_sentences']} sentences of {configuration['max_sentence_length']} tokens"


def site_line(configuration: Mapping[str, Any]) -> str:
    """Return where weights are erased and which, in a few words."""
    over = " over sentences" if configuration.get("components") == "sentences" else ""
    parts = [f"site: {configuration['site']}{over}"]
    if configuration.get("heads", "all") != "all":
        parts.append(f"heads {', '.join(map(str, configuration['heads']))}")
    left_out = configuration["special_tokens"] == "left out"
    parts.append("special tokens left out" if left_out else "special tokens are components")
    if configuration["dtype"] != "float32":
        parts.append(configuration["dtype"])
    return ", ".join(parts)


def _fractions(rankings: Mapping[str, Any]) -> Table:
    headings = ("1st quartile", "median", "3rd quartile", "mean", "n", "mass, median")
    table = new_table(TITLES["fraction"], "ranking", *headings)
    for name, ranking in rankings.items():
        fraction = ranking["fraction"]
        add_row(
            table,
            called(name),
            _value(fraction["q25"], NEVER),
            interval(fraction["median"], NEVER),
            _value(fraction["q75"], NEVER),
            interval(fraction["mean"]),
            str(fraction["mean"]["count"]),
            interval(ranking["mass"]["median"], NEVER),
        )
    return table


def _outcomes(rankings: Mapping[str, Any]) -> Table:
    nothing_left = "no attention left" if BEST_FOUND in rankings else "bias only"
    table = new_table(TITLES["outcomes"], "ranking", "flip", nothing_left, "never", "spread over draws")
    for name, ranking in rankings.items():
        shares = [percent(ranking["outcomes"][outcome]) for outcome in ("flip", "bias_only", "never")]
        add_row(table, called(name), *shares, interval(ranking["spread"]) if "spread" in ranking else "")
    return table


def _yardstick(summary: Mapping[str, Any]) -> Table:
    """Return how far each ranking is from the minimum, or from the best set found."""
    rankings = summary["rankings"]
    has_evidence = any(ranking["evidence_auc"]["count"] for ranking in rankings.values())
    headings = ["ranking", "removals in excess, mean", "as short, % of documents"]
    headings += ["finds the planted evidence, AUC"] if has_evidence else []
    table = new_table(TITLES[summary["yardstick"] or "minimum"], *headings)
    for name, ranking in rankings.items():
        if "excess" in ranking:
            evidence = [interval(ranking["evidence_auc"])] if has_evidence else []
            add_row(table, called(name), _counted(ranking["excess"], 1), percent(ranking["optimal"]), *evidence)
    return table


def _pairs(pairs: Iterable[Mapping[str, Any]]) -> Table:
    table = new_table(TITLES["pairs"], "first", "second", "first fewer", "equal", "second fewer")
    seen: set[frozenset[str]] = set()
    for pair in pairs:
        names = frozenset((pair["first"], pair["second"]))
        if names not in seen:
            seen.add(names)
            shares = [percent(pair[column]) for column in ("fewer", "equal", "more")]
            add_row(table, *(called(pair[side]) for side in ("first", "second")), *shares)
    return table


def _tests(summary: Mapping[str, Any]) -> Table:
    headings = ["top of", "erasing", "other flips", "other does not", "E[dJS], nats", "P(dJS < 0), %"]
    table = new_table(TITLES["tests_by_position" if _by_position(summary["configuration"]) else "tests"], *headings)
    for name, test in summary["tests"].items():
        cells = {key: percent(value) for key, value in test["exact"].items()}
        divergence = (interval(test["expected_delta_js"], digits=4), percent(test["share_negative"]))
        add_row(table, name, "top flips", cells["both_flip"], cells["top_alone_flips"], *divergence)
        add_row(table, "", "top does not", cells["other_alone_flips"], cells["none_flips"])
        table.add_section()
    return table


def called(ranking: str) -> str:
    """Return what a ranking is called, where it is not called as in the results."""
    return NAMES.get(ranking, ranking)


def new_table(title: str, *headings: str) -> Table:
    """Return an empty table: what the rows are on the left, numbers on the right."""
    table = Table(title=literal(title), title_justify="left", title_style="bold")
    for position, heading in enumerate(headings):
        table.add_column(literal(heading), justify="left" if position == 0 else "right")
    return table


def add_row(table: Table, *cells: str) -> None:
    """Add a row whose cells are shown as they are."""
    table.add_row(*map(literal, cells))


def interval(estimate: Mapping[str, Any], absent: str = NONE, scale: float = 1, digits: int = 3) -> str:
    """Write an estimate with its interval; `absent` where it does not exist."""
    if not estimate["count"]:
        return NONE
    value, low, high = (
        absent if number is None else f"{scale * number:.{digits}f}"
        for number in (estimate["value"], estimate["low"], estimate["high"])
    )
    return value if value == low == high else f"{value} [{low}, {high}]"


def _value(estimate: Mapping[str, Any], absent: str) -> str:
    """Write an estimate without its interval."""
    return interval({**estimate, "low": None, "high": None}, absent).partition(" [")[0]


def percent(estimate: Mapping[str, Any]) -> str:
    """Write a share in percent, with its interval."""
    return interval(estimate, scale=100, digits=1)


def _counted(estimate: Mapping[str, Any], digits: int = 3) -> str:
    return f"{interval(estimate, digits=digits)} n={estimate['count']}" if estimate["count"] else NONE
