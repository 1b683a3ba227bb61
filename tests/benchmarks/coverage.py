"""How often the 95 % intervals that are printed contain the truth, in populations where it is known."""

from timing import Result

from populations import KINDS, coverage

DOCUMENTS, SAMPLES = (20, 50, 200), 4000
WANTED = 92.0
FEWEST_GIVEN = 0.2  # of the samples: where hardly any has an interval, those that have one are not like the others


def intervals() -> list[Result]:
    """Return the lowest coverage of each kind of interval, and every population's in the figures."""
    return [_worst(kind, documents) for kind in KINDS for documents in DOCUMENTS]


def _worst(kind: str, documents: int) -> Result:
    held, figures = [], {}
    for population in KINDS[kind][1]:
        found = coverage(kind, population, documents, SAMPLES)
        held += [100 * each.held for each in found if each.given >= FEWEST_GIVEN]
        shown = (f"{100 * each.held:.1f} %" + f" of {100 * each.given:.0f} %" * (each.given < 1) for each in found)
        figures[population] = ", ".join(shown)
    return Result(
        f"coverage-{kind}-{documents}",
        f"95 % interval of a {kind} over {documents} documents: share that contain the truth, at least",
        min(held),
        wanted=WANTED,
        at_least=True,
        spread=(min(held), max(held)),
        unit="%",
        figures=figures,
    )
