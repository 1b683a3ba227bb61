"""Aggregates of an atlas: what erasing does at each place, over documents, and which places stand out among all."""

import math
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from eraserhead.erasure.flip_values import averager
from eraserhead.erasure.results import is_analysed
from eraserhead.mapping.folder import REMOVED
from eraserhead.mapping.summary import AtlasSetup, PlaceSummary
from eraserhead.method.intervals import difference_of, mean_of, share_of
from eraserhead.method.names import ATTENTION, BEST_FOUND, RANDOM
from eraserhead.method.paired import bounded_sign_flip_p_values, exact_sign_flip_p_values
from eraserhead.method.statistics import compare, holm

FINEST = 1000  # parts of 1 that a document's difference may come in for its p-value to be counted over all signs
LARGEST_JS = math.log(2)


def places_of(flips: pa.Table, setup: AtlasSetup) -> tuple[PlaceSummary, ...]:
    """Return a summary for each place; a document's decisions are averaged first.

    Documents with fewer than two components are left out.

    Args:
        flips: The table with a row for each decision and place.
        setup: The places.
    """
    places = setup.places
    analysed = flips.filter(pa.array(is_analysed(flips.column("n").to_numpy())))
    ids = analysed.column("id").to_numpy()[:: len(places)]
    average, unit = averager(ids), 1 / (setup.draws * _parts(ids))
    measured = _measured(analysed, setup, average)
    measured["advantage"] = measured["fewer"] - measured["more"]
    advantages = measured["advantage"]
    exact = unit >= 1 / (FINEST + 0.5)
    p_values = exact_sign_flip_p_values(advantages, unit) if exact else bounded_sign_flip_p_values(advantages)
    # A place at which no document differs is a comparison too: it counts in the correction of the others.
    corrected = holm(np.where(np.isnan(p_values), 1.0, p_values))
    of_places = [{name: own[:, number] for name, own in measured.items()} for number in range(len(places))]
    return tuple(
        PlaceSummary(
            layer=layer,
            head=head,
            every_prefix=head is None or setup.heads == "complete",
            flips={name: share_of(own[name]) for name in (*setup.rankings, RANDOM, BEST_FOUND)},
            **{name: share_of(own[name]) for name in ("fewer", "equal", "more", "whole_flips")},
            advantage=difference_of(own["advantage"]),
            **{name: mean_of(own[name], 0.0, LARGEST_JS) for name in ("top_js", "whole_js")},
            p_value=None if np.isnan(p_value) else float(p_value),
            corrected=None if np.isnan(p_value) else float(among_all),
        )
        for (layer, head), own, p_value, among_all in zip(places, of_places, p_values, corrected, strict=True)
    )


def _measured(
    flips: pa.Table, setup: AtlasSetup, average: Callable[[np.ndarray], np.ndarray]
) -> dict[str, Float[np.ndarray, "documents places"]]:
    """Return what is measured of each document at each place."""
    shape = (len(flips) // len(setup.places), len(setup.places))
    removed = {name: _removed(flips, name).reshape(*shape, 1) for name in (*setup.rankings, BEST_FOUND)}
    removed[RANDOM] = _removed(flips, RANDOM).reshape(*shape, setup.draws)
    found = {name: np.isfinite(own).mean(2) for name, own in removed.items()}
    attention, random = (own.reshape(-1, own.shape[2]) for own in (removed[ATTENTION], removed[RANDOM]))
    shares = compare(attention, random).reshape(*shape, 3)
    found |= {name: shares[..., number] for number, name in enumerate(("fewer", "equal", "more"))}
    for name in ("top_js", "whole_js", "whole_flips"):
        found[name] = flips.column(name).to_numpy().astype(float).reshape(shape)
    return {name: average(own) for name, own in found.items()}


def _removed(flips: pa.Table, ranking: str) -> Float[np.ndarray, " rows"]:
    """Return the components erased at the first flips along a ranking, infinity where nothing flips."""
    column = flips.column(f"{REMOVED}{ranking}").combine_chunks()
    numbers = (column.flatten() if pa.types.is_list(column.type) else column).cast(pa.float64())
    values = numbers.to_numpy(zero_copy_only=False)
    return np.where(np.isnan(values), np.inf, values)


def _parts(ids: np.ndarray) -> int:
    """Return into how many parts the averages over documents' decisions divide 1."""
    _, decisions = np.unique(ids, return_counts=True)
    return math.lcm(*decisions.tolist())
