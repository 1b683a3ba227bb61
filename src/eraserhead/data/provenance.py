"""Where documents come from, and what was cut off them: records without the documents; light imports alone."""

from dataclasses import dataclass
from typing import Literal

COLUMNS_BETWEEN = ", "  # between the columns of several labels, where one text names them all


@dataclass(frozen=True)
class Provenance:
    """Where documents come from.

    Attributes:
        name: Named set or hub id, if any.
        path: Folder or file that was read, if any.
        subset: Configuration of the hub data set.
        revision: Commit of the hub data set where it is known, else the revision asked for.
        split: Split that the rows come from, as in the ids.
        text_columns: Columns joined into the text.
        pair_column: Column of the second sequence, if any.
        label_column: Column of the gold class; where each label has a column of its own, all of them, with commas; None
            where the source has none.
        cleaned: Whether the named set's escapes were undone.
        documents: Documents used.
        available: Rows of the split.
        seed: Seed of the sample.
        fingerprint: SHA-256 of the documents, see `Documents.fingerprint`; null where nobody has computed it yet.
        without_label: Rows that training left out because they have no label.
        rationale_column: Column of what people marked as evidence, if it was read.
        id_column: Column of the ids; null where they are made of split and row number.
    """

    name: str | None
    path: str | None
    subset: str | None
    revision: str | None
    split: str
    text_columns: list[str]
    pair_column: str | None
    label_column: str | None
    cleaned: bool
    documents: int
    available: int
    seed: int
    fingerprint: str | None = None
    without_label: int = 0
    rationale_column: str | None = None
    id_column: str | None = None

    @property
    def named(self) -> str:
        """What people call the data: the name of the set, else the path that it was read from."""
        return self.name or self.path or "given texts"


@dataclass(frozen=True)
class LabelsRead:
    """How the labels of documents were read as the classes of a model.

    Attributes:
        by: ``training``, by the table of the model's training; ``name``, by the names of the classes; ``label_map``, by
            the pairs that were given; ``index``, as indices of the model's classes; ``unmatched``, not at all, since
            the data's classes are not the model's; ``none``, since there are no labels.
        classes: The data's own classes, where they were matched with the model's or could not be.
        empty: Classes of the data without documents.
    """

    by: Literal["training", "name", "label_map", "index", "unmatched", "none"]
    classes: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()


@dataclass(frozen=True)
class Truncation:
    """What a limit cut away of documents: the model's window, or a limit that was set.

    It is counted document by document in `data.tokens` and `data.sentences`, in the columns `COUNTS`; the ``documents``
    table of results carries these columns. `data.tokens.summed_truncation` alone sums them: of training data for the
    training log and ``data.json``, of erased documents for the summary, from which `show`, the model card and the
    tables of `reproduce` print it. `explain` shows what one document lost.

    Attributes:
        documents: All documents.
        truncated_documents: Those that lost tokens.
        tokens: Tokens that the model sees, special tokens included.
        truncated_tokens: Tokens cut away.
        sentences: Sentences that the model sees, of documents that are read sentence by sentence; else null.
        truncated_sentences: Whole sentences cut away; null likewise.
    """

    documents: int
    truncated_documents: int
    tokens: int
    truncated_tokens: int
    sentences: int | None = None
    truncated_sentences: int | None = None

    @property
    def share(self) -> float:
        """Share of all tokens that were cut away."""
        return self.truncated_tokens / max(self.tokens + self.truncated_tokens, 1)

    def describe(self) -> str:
        """Return one line, such as "3 of 10 documents (30.0 %) lost 40 of 400 tokens (10.0 %) to the length limit"."""
        if not self.truncated_documents:
            return f"none of {self.documents:,} documents lost tokens to the length limit"
        whole = self.tokens + self.truncated_tokens
        lost = _share(self.truncated_tokens, whole, "tokens")
        if self.sentences is not None and self.truncated_sentences is not None:
            every = self.sentences + self.truncated_sentences
            lost += f", and {_share(self.truncated_sentences, every, 'sentences')} whole,"
        return f"{_share(self.truncated_documents, self.documents, 'documents')} lost {lost} to the length limit"


def _share(part: int, whole: int, what: str) -> str:
    percent = f" ({100 * part / whole:.1f} %)" if whole else ""
    return f"{part:,} of {whole:,} {what}{percent}"
