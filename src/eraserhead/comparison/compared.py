"""The comparison of results on the same documents (METHOD section 16)."""

from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from eraserhead.comparison.plotting import draw_differences
from eraserhead.comparison.table import comparison_html, comparison_latex, difference_columns
from eraserhead.loading.setup import SiteSetup
from eraserhead.method.statistics import Estimate
from eraserhead.showing.figures import Drawing

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Compared:
    """One of the results that are compared.

    Attributes:
        name: A letter that stands for it.
        results: Its folder; of results in memory, their number.
        model: The model's name.
        site: Where weights are erased.
        data: Name or path of the data.
        accuracy: Share of the labelled documents whose class is right.
    """

    name: str
    results: str
    model: str
    site: SiteSetup
    data: str
    accuracy: Estimate


@dataclass(frozen=True)
class Difference:
    """How a measure differs between two results, document by document.

    Attributes:
        first: Letter of the first.
        second: Letter of the second.
        ranking: The ranking in both.
        measure: ``fraction`` (erased at the first flip; never counts as 1), the share of an outcome (``flip``,
            ``bias_only``, ``never``), ``aopc`` or ``naopc``.
        of_first: Mean over the documents on which both have a number.
        of_second: The same of the second.
        difference: Mean of second minus first, with its paired interval.
        p_value: Two-sided, by changing the signs of the documents' differences at random; null where none differs.
        corrected: The same by Holm's correction over all differences of the comparison; null likewise.
    """

    first: str
    second: str
    ranking: str
    measure: str
    of_first: float | None
    of_second: float | None
    difference: Estimate
    p_value: float | None
    corrected: float | None

    @property
    def significant(self) -> bool:
        """Whether it stands out among all differences of the comparison, and its interval leaves out 0."""
        if self.corrected is None or self.corrected >= SIGNIFICANT:
            return False
        low, high = self.difference.low, self.difference.high
        return low is None or high is None or low > 0 or high < 0


@dataclass(frozen=True)
class ScoreAgreement:
    """How alike the scores of a ranking order components in two results.

    Attributes:
        first: Letter of the first.
        second: Letter of the second.
        ranking: The ranking in both.
        tau: Mean of Kendall's tau-b over the documents with the same components in both.
    """

    first: str
    second: str
    ranking: str
    tau: Estimate


@dataclass(frozen=True, repr=False)
class Comparison:
    """Results on the same documents, compared in pairs.

    Attributes:
        results: The results.
        documents: Documents that all of them have.
        analysed: Those of two components or more in all of them, over which everything is.
        differences: Differences of each pair of results and each ranking that both have.
        agreements: Agreement of the scores, where components are the same.
    """

    FORMAT: ClassVar[int] = 1

    results: tuple[Compared, ...]
    documents: int
    analysed: int
    differences: tuple[Difference, ...]
    agreements: tuple[ScoreAgreement, ...]

    @property
    def same_units(self) -> bool:
        """Whether components are of one kind in all results, so that counts of them compare too."""
        return len({each.site.components for each in self.results}) == 1

    def __repr__(self) -> str:
        results = "; ".join(f"{each.name}: {each.model}, site {each.site.site}" for each in self.results)
        stand_out = sum(each.significant for each in self.differences)
        return (
            f"Comparison({results}; {self.analysed:,} documents; {stand_out} of {len(self.differences)} differences "
            "stand out)"
        )

    def _repr_html_(self) -> str:
        return comparison_html(self)

    def table(self) -> pd.DataFrame:
        """Return the differences, a row for each: the fields of `Difference`, its interval, and on how many documents.

        NaN is a number that does not exist.
        """
        return pd.DataFrame(difference_columns(self))

    def to_latex(self, caption: str | None = None, label: str = "tab:comparison") -> str:
        r"""Write the differences in LaTeX, for people; it needs ``\usepackage{booktabs}``.

        Args:
            caption: The caption, in LaTeX; default: what is compared, on how many documents.
            label: Name to refer to the table by.
        """
        return comparison_latex(self, caption, label)

    def plot(self) -> Drawing:
        """Draw the differences with their intervals, which a notebook shows, and which has a method ``save(folder)``.

        Raises:
            UserError: No difference has a number.
        """
        return draw_differences(self)
