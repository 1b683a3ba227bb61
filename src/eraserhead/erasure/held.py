"""The results of an analysis as Python holds them: tables, the summary, and views of both."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
from datasets import Dataset
from datasets.table import InMemoryTable

from eraserhead.erasure.in_memory import TablesInMemory
from eraserhead.erasure.plotted import Plotted
from eraserhead.erasure.plotting import draw
from eraserhead.erasure.summary import Summary
from eraserhead.erasure.table import about, cells, main_latex, note, table_columns, title
from eraserhead.erasure.verdict import fewest_sentence, verdict
from eraserhead.showing.figures import Drawing
from eraserhead.showing.notebook import fragment, grid, paragraph


@dataclass(frozen=True, repr=False)
class Erasure:
    """The results of an erasure analysis.

    Attributes:
        tables: ``documents``, ``signals``, ``flips``, ``singles`` and ``curves`` as Arrow tables; absent values
            are null.
        summary: The aggregates with their intervals.
    """

    tables: dict[str, pa.Table]
    summary: Summary

    def __repr__(self) -> str:
        rankings = ", ".join(self.summary.rankings)
        return f"Erasure({about(self.summary)}; rankings: {rankings}; tables: {', '.join(self.tables)})"

    def _repr_html_(self) -> str:
        said = [verdict(self.summary).sentence, fewest_sentence(self.summary)]
        table = [grid(title(self.summary), *cells(self.summary)), paragraph(note(self.summary), small=True)]
        return fragment(
            [
                paragraph(about(self.summary)),
                *(paragraph(sentence, bold=True) for sentence in said if sentence),
                *(table if self.summary.rankings else []),
            ]
        )

    @property
    def documents(self) -> pd.DataFrame:
        """One row for each document: text, decision, components, and what erasing every component alone does."""
        return self.tables["documents"].to_pandas()

    @property
    def signals(self) -> pd.DataFrame:
        """One row for each document and ranking: the scores of its components, such as their attention or gradients."""
        return self.tables["signals"].to_pandas()

    @property
    def flips(self) -> pd.DataFrame:
        """One row for each document, ranking and draw: what is erased until the decision flips."""
        return self.tables["flips"].to_pandas()

    @property
    def singles(self) -> pd.DataFrame:
        """One row for each document and ranking: its top component against a random other."""
        return self.tables["singles"].to_pandas()

    @property
    def curves(self) -> pd.DataFrame:
        """One row for each document and ranking: the decision's probability along it, and what is read off that."""
        return self.tables["curves"].to_pandas()

    def table(self) -> pd.DataFrame:
        """Return the main table: a row for each ranking.

        ``flips`` is the share of the documents whose decision flips, ``median_erased`` the fraction of the components
        that is erased by then, ``extra`` how many more components than the minimum (inside an encoder, than the
        smallest set found), ``matches`` the share of the documents on which they are as few, and ``naopc`` what
        ``naopc`` in `curves` is on average. Each has its 95 % interval over documents (``flips_low``, ``flips_high``)
        and their number (``flips_documents``). NaN is a number that does not exist; infinity is larger than everything:
        more than half of the decisions never flip.
        """
        return pd.DataFrame(table_columns(self.summary))

    def to_latex(self, caption: str | None = None, label: str = "tab:erasure") -> str:
        r"""Write the main table in LaTeX, for people; it needs ``\usepackage{booktabs}``.

        Args:
            caption: The caption, in LaTeX; default: the model, the data, how many documents, and what the columns mean.
            label: Name to refer to the table by.
        """
        return main_latex(self.summary, caption, label)

    def plot(self, figure: str = "flips") -> Drawing:
        """Draw a figure, which a notebook shows, and which has a method ``save(folder)``.

        Args:
            figure: ``flips``, how soon decisions flip along each ranking; ``curves``, the decision's probability along
                them; ``minimum``, how many more components than the minimum they erase; ``scatter``, test 1.

        Raises:
            UserError: There is no figure of this name, or the results have no numbers for it.
        """
        return draw(figure, [Plotted(self.summary.setup.model.name, self.summary, TablesInMemory(self.tables))])

    def dataset(self, name: str) -> Dataset:
        """Return one of the tables as a `datasets.Dataset`."""
        return Dataset(InMemoryTable(self.tables[name]))
