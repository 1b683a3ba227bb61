"""The main table of erasure results, a row for each ranking: its columns, and how papers and programs get it.

The terminal, the notebook and `Erasure.table` show the same columns. Light imports alone.
"""

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from eraserhead.erasure.ranking_summaries import RankingSummary
from eraserhead.erasure.summary import Aggregates, Summary
from eraserhead.erasure.view import called
from eraserhead.method.names import BEST_FOUND, MINIMUM, Outcome
from eraserhead.method.statistics import Estimate
from eraserhead.showing.escapes import latex, markdown
from eraserhead.showing.latex import latex_table
from eraserhead.showing.markdown_tables import markdown_table
from eraserhead.showing.terminal import FEW_NOTE, NEVER, interval

YARDSTICK_NAMES = {MINIMUM: "minimum", BEST_FOUND: "smallest set found"}
NOTE = (
    "Of the documents whose decisions flip, some do so with no attention left. Median erased: never where more than "
    "half of the decisions never flip. Extra: {components} erased beyond the {yardstick}, mean over the documents that "
    "flip along "
    "the ranking; matches: share, of those that flip with any set, on which there are none. {naopc}In brackets: 95 % "
    "intervals over documents.{few}"
)
NAOPC_NOTE = "NAOPC: 0 where no order loses the decision's probability later, 1 where none loses it sooner. "
ENDS = ("low", "high", "documents")  # of each number, the names of its further columns


@dataclass(frozen=True)
class Measure:
    """A number of each ranking in the main table.

    Attributes:
        name: Its column in `table_columns`.
        heading: Its heading for people; ``{yardstick}`` stands for the minimum, or the smallest set found.
        of: Returns it with its interval; null where the results have none.
        scale: Factor by which it is shown to people.
        digits: Digits after the decimal point that people see.
        quantile: Whether it is a quantile, whose missing value means that it is larger than everything: never.
    """

    name: str
    heading: str
    of: Callable[[RankingSummary], Estimate | None]
    scale: float = 100
    digits: int = 1
    quantile: bool = False

    def text(self, ranking: RankingSummary) -> str:
        """Write it for people, with its interval."""
        return interval(self.of(ranking), NEVER, self.scale, self.digits)

    def title(self, summary: Aggregates) -> str:
        """Return its heading for these results."""
        return self.heading.format(yardstick=yardstick_name(summary))


def flips(ranking: RankingSummary) -> Estimate:
    """Return the share of the documents whose decision flips, with some attention left or none."""
    never = ranking.share(Outcome.NEVER)
    value, low, high = (None if end is None else 1 - end for end in (never.value, never.high, never.low))
    return replace(never, value=value, low=low, high=high)


MEASURES = (
    Measure("flips", "flips, %", flips),
    Measure("median_erased", "median erased, %", lambda ranking: ranking.fraction.median, quantile=True),
    Measure("extra", "extra over the {yardstick}", lambda ranking: ranking.excess, scale=1),
    Measure("matches", "matches the {yardstick}, %", lambda ranking: ranking.optimal),
    Measure("naopc", "NAOPC", lambda ranking: ranking.curves and ranking.curves.naopc, scale=1, digits=2),
)


def yardstick_name(summary: Aggregates) -> str:
    """Return what rankings are held against: the minimum, or where there is none the smallest set found."""
    return YARDSTICK_NAMES[summary.yardstick or MINIMUM]


def shown_measures(summary: Aggregates) -> list[Measure]:
    """Return the measures that any ranking has; inside an encoder, for instance, none has NAOPC."""
    return [
        measure
        for measure in MEASURES
        if any((found := measure.of(ranking)) and found.count for ranking in summary.rankings.values())
    ]


def table_columns(summary: Aggregates) -> dict[str, list[str] | list[float] | list[int]]:
    """Return the columns of the main table, one entry for each ranking in the order of the results.

    ``ranking``, and for each of `MEASURES` its name, its name with ``_low`` and ``_high`` (the 95 % interval over
    documents), and with ``_documents`` (how many it is over). Shares and fractions are from 0 to 1, ``extra`` counts
    components. A number that does not exist is NaN; a median among documents that never flip is infinite.
    """
    columns: dict[str, list[str] | list[float] | list[int]] = {"ranking": list(summary.rankings)}
    for measure in MEASURES:
        found = [measure.of(ranking) for ranking in summary.rankings.values()]
        numbers = [_numbers(estimate, measure.quantile) for estimate in found]
        for name, column in zip(("", *ENDS[:2]), zip(*numbers, strict=True) if numbers else ((), (), ()), strict=True):
            columns[f"{measure.name}_{name}".removesuffix("_")] = list(column)
        columns[f"{measure.name}_{ENDS[2]}"] = [estimate.count if estimate else 0 for estimate in found]
    return columns


def csv_table(summary: Summary) -> str:
    """Write `table_columns` as CSV: an empty field for a number that does not exist, ``inf`` for never."""
    columns = table_columns(summary)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(
        ["" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row]
        for row in zip(*columns.values(), strict=True)
    )
    return written.getvalue()


def json_table(summary: Summary) -> str:
    """Write the main table as a JSON list of rankings, whose numbers are estimates as in ``summary.json``."""
    rows = [
        {"ranking": name} | {each.name: (found := each.of(ranking)) and asdict(found) for each in MEASURES}
        for name, ranking in summary.rankings.items()
    ]
    return json.dumps(rows, indent=1, allow_nan=False) + "\n"


def main_markdown(summary: Summary) -> str:
    """Write the main table for people as Markdown, with its caption below it."""
    return f"{markdown_table(*cells(summary))}\n\n{markdown(caption(summary))}\n"


def main_latex(summary: Summary, said: str | None = None, label: str = "tab:erasure") -> str:
    r"""Write the main table for people in LaTeX, which needs ``\usepackage{booktabs}``.

    Args:
        summary: The results.
        said: The caption, in LaTeX; default: `caption`.
        label: Name to refer to the table by.
    """
    return latex_table(*cells(summary), latex(caption(summary)) if said is None else said, label)


FORMATS: dict[str, Callable[[Summary], str]] = {
    "markdown": main_markdown,
    "latex": main_latex,
    "csv": csv_table,
    "json": json_table,
}


def title(summary: Summary) -> str:
    """Return what the main table shows, in one line."""
    return f"Erasing {summary.setup.site.components} along each ranking until the decision flips"


def note(summary: Summary) -> str:
    """Return what the columns of the main table mean, and what its brackets and daggers do."""
    measures, unit = shown_measures(summary), summary.setup.site.components
    naopc = any(measure.name == "naopc" for measure in measures)
    found = [measure.of(ranking) for measure in measures for ranking in summary.rankings.values()]
    return NOTE.format(
        components=unit,
        yardstick=yardstick_name(summary),
        naopc=NAOPC_NOTE if naopc else "",
        few=f" {FEW_NOTE}" if any(estimate and estimate.of_few for estimate in found) else "",
    )


def caption(summary: Summary) -> str:
    """Return what the main table is about, for a reader who sees nothing else of the results."""
    return f"{title(summary)}: {about(summary)}. {note(summary)}"


def about(summary: Summary) -> str:
    """Return what the results are of: the model, the site, the data, and how many documents are analysed."""
    setup = summary.setup
    documents = f"{summary.documents.analysed:,} documents of two {setup.site.components} or more"
    return f"{setup.model.name}, site {setup.site.site}; {setup.data.named}, split {setup.data.split}, {documents}"


def cells(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows of the main table as people read it."""
    measures = shown_measures(summary)
    headings = ["ranking", *(measure.title(summary) for measure in measures)]
    rows = [
        [called(name), *(measure.text(ranking) for measure in measures)] for name, ranking in summary.rankings.items()
    ]
    return headings, rows


def _numbers(estimate: Estimate | None, quantile: bool) -> tuple[float, float, float]:
    """Return value, low and high; infinity for what is larger than everything, NaN for what does not exist."""
    if estimate is None or not estimate.count:
        return math.nan, math.nan, math.nan
    absent = math.inf if quantile and estimate.has_interval else math.nan
    value, low, high = (absent if end is None else end for end in (estimate.value, estimate.low, estimate.high))
    return value, low, high
