"""The answer of erasure results: the verdict, and one table; a view of a `Summary`, never a computation."""

from dataclasses import replace

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from eraserhead.erasure.header import header
from eraserhead.erasure.ranking_summaries import RankingSummary
from eraserhead.erasure.summary import Summary
from eraserhead.erasure.verdict import fewest_sentence, verdict
from eraserhead.erasure.view import called
from eraserhead.method.names import MINIMUM, Outcome
from eraserhead.method.statistics import Estimate
from eraserhead.showing.terminal import FEW_NOTE, NONE, add_row, interval, literal, new_table, percent

NEVER = "never"
TITLE = "Erasing {components} along each ranking until the decision flips"
NOTE = (
    "Of the documents whose decisions flip, some do so with no attention left. Median erased: never where half of the "
    "decisions never flip. Extra: {components} erased beyond the {yardstick}, mean over the documents that flip along "
    "the ranking; as short: share, of those that flip with any set, on which there are none. {naopc}In brackets: 95 % "
    "intervals over documents. {few} All other tables: show --details."
)
NAOPC_NOTE = "NAOPC: 0 where no order loses the decision's probability later, 1 where none loses it sooner. "


def answer_view(summary: Summary) -> RenderableType:
    """Return what `eraserhead show` prints first: what was asked, the verdict, and a row for each ranking."""
    sentences = filter(None, (verdict(summary).sentence, fewest_sentence(summary)))
    return Group(
        *map(literal, header(summary)),
        *(Text(f"\n{sentence}", style="bold") for sentence in sentences),
        *([Padding(_table(summary), (1, 0, 0, 0)), Text(_note(summary), style="dim")] if summary.rankings else []),
    )


def _table(summary: Summary) -> Table:
    """Return a row for each ranking, in the order of the results."""
    told = _tells_naopc(summary)
    headings = ("flips, %", "median erased, %", "extra", "as short, %", *["NAOPC"] * told)
    table = new_table(TITLE.format(components=summary.setup.site.components), "ranking", *headings)
    for name, ranking in summary.rankings.items():
        naopc = NONE if ranking.curves is None else interval(ranking.curves.naopc, digits=2)
        add_row(table, called(name), *_row(ranking), *[naopc] * told)
    return table


def _row(ranking: RankingSummary) -> tuple[str, ...]:
    return (
        percent(_complement(ranking.share(Outcome.NEVER))),
        interval(ranking.fraction.median, NEVER, 100, 1),
        interval(ranking.excess, digits=1),
        percent(ranking.optimal),
    )


def _complement(share: Estimate) -> Estimate:
    """Return what is left of a share."""
    value, low, high = (None if end is None else 1 - end for end in (share.value, share.high, share.low))
    return replace(share, value=value, low=low, high=high)


def _tells_naopc(summary: Summary) -> bool:
    return any(ranking.curves is not None and ranking.curves.naopc.count for ranking in summary.rankings.values())


def _note(summary: Summary) -> str:
    yardstick = "exact minimum" if summary.yardstick == MINIMUM else "smallest set found"
    naopc = NAOPC_NOTE if _tells_naopc(summary) else ""
    return NOTE.format(components=summary.setup.site.components, yardstick=yardstick, naopc=naopc, few=FEW_NOTE)
