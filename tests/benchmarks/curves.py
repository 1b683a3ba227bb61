"""What curves along rankings and their exact limits cost: processor time."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import inside
import runs
import torch
from timing import Result, in_turns, seconds

from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.draws import FEW
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.method.affine import AffineReading
from eraserhead.method.curves import curves
from eraserhead.method.names import BEST_FOUND, CurveSizes
from eraserhead.method.reading import Reading
from eraserhead.rankings.registry import registered, signals_of
from eraserhead.sites.inside.site import SelfAttentionSite
from readings import analysed

DOCUMENTS, COMPONENTS, ROUNDS = 64, 400, 7


def limits() -> list[Result]:
    """The limits of all sizes for documents of 400 components, with two classes and with five."""
    return [_limits(2, 2.0), _limits(5, None)]


def _limits(classes: int, wanted: float | None) -> Result:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(DOCUMENTS, COMPONENTS, generator=generator, dtype=torch.float64)
    logits = torch.randn(DOCUMENTS, COMPONENTS, classes, generator=generator, dtype=torch.float64)
    logits[..., 0] += scores
    mask = torch.ones(DOCUMENTS, COMPONENTS, dtype=torch.bool)
    reading = AffineReading.of(scores.softmax(-1), logits, torch.zeros(classes, dtype=torch.float64), mask)
    reading.limits()
    measured = [1000 * seconds(reading.limits) / DOCUMENTS for _ in range(ROUNDS)]
    what = f"exact limits of all sizes, {COMPONENTS} components, {classes} classes, milliseconds a document"
    ends = min(measured), max(measured)
    return Result(f"limits-{classes}", what, median(measured), wanted, False, ends, {}, "ms", f"batch {DOCUMENTS}")


def pooling() -> list[Result]:
    """A whole analysis at the pooling layer with curves and limits at every size, against one without."""
    data = runs.reviews()
    with tempfile.TemporaryDirectory() as folder:
        model = runs.save_classifier(Path(folder), data)
        _erase(model, "all")  # warms up
        pair = in_turns(partial(_erase, model, "all"), partial(_erase, model, "none"), 4)
    figures = {"with, s": median(pair.first), "without, s": median(pair.second), "documents": runs.REVIEWS}
    what = "erase at the pooling layer with curves and limits / without"
    return [Result("curves-pooling", what, pair.ratio, 1.15, False, pair.spread, figures, "x", runs.FRESH)]


def _erase(model: str, sizes: CurveSizes) -> float:
    with runs.fresh_caches() as folder:
        config = EraseConfig(model=model, output_dir=str(folder / "results"), data=runs.reviews(), cpu=True)
        return seconds(lambda: erase_to_folder(replace(config, curves=sizes)))


def last_layer() -> list[Result]:
    """The analysis of the last layer with curves at five fractions, or at every size, against one without."""
    model, batches = inside.classifier(), inside.documents(inside.TOKENS, inside.ANALYSED)
    site = SelfAttentionSite(model)

    def analysis(sizes: CurveSizes) -> None:
        for batch in batches:
            _follow(site.read(batch, signals_of(registered())), sizes)

    found = []
    for sizes in ("fractions", "all"):
        pair = in_turns(
            lambda sizes=sizes: seconds(lambda: analysis(sizes)), lambda: seconds(lambda: analysis("none")), 4
        )
        what = f"analysis at the last layer, {FEW} draws, with curves ({sizes}) / without"
        figures = {"with, s": median(pair.first), "without, s": median(pair.second), "documents": inside.ANALYSED}
        found.append(Result("curves-inside", what, pair.ratio, None, False, pair.spread, figures))
    return found


def _follow(reading: Reading, sizes: CurveSizes) -> None:
    flips = analysed(reading, draws=FEW).flips
    curves(reading, [(each.ranking, each.order) for each in flips if each.ranking != BEST_FOUND], sizes)
