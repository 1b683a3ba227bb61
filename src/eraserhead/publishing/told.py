"""Sentences of the model card about erasure results."""

from eraserhead.erasure.conditions import ordinary_line
from eraserhead.erasure.summary import Summary
from eraserhead.erasure.verdict import fewest_sentence, verdict
from eraserhead.erasure.view import called
from eraserhead.method.names import ATTENTION, GRADIENT, PRODUCT
from eraserhead.showing.terminal import percent

EXPLAINED = (ATTENTION, GRADIENT, PRODUCT)  # by the card itself


def answer(summary: Summary) -> str:
    """Return what may be said of the attention, and which ranking needs the fewest removals."""
    return " ".join(filter(None, (verdict(summary).sentence, fewest_sentence(summary))))


def further_rankings(summary: Summary) -> str:
    """Return the rankings that the card does not explain, with where their scores come from; nothing without any."""
    sources = summary.setup.ranking_sources
    names = [name for name in summary.setup.rankings if name not in EXPLAINED]
    told = [f"`{name}` (scores from {sources[name]})" if name in sources else f"`{name}`" for name in names]
    return f"Further orders are those of {', '.join(told)}." if told else ""


def ordinary(summary: Summary) -> str:
    """Return which shares of the flips are out of the ordinary, and what that is, or why it is not said."""
    found = {called(name): ranking.out_of_ordinary for name, ranking in summary.rankings.items()}
    shares = [f"{name} {percent(share)}" for name, share in found.items() if share is not None]
    said = f"Out of the ordinary, % of the flips: {', '.join(shares)}. " if shares else ""
    return f"{said}{ordinary_line(summary)}"
