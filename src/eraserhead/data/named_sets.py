"""The named sets: where they live, which columns they have, how their escapes are undone."""

from collections.abc import Callable
from dataclasses import dataclass

from eraserhead.data.config import DataConfig

PLANTED = "planted"  # name of the built-in corpus


def unchanged(text: str) -> str:
    """Return the text as it is."""
    return text


def undo_escapes(text: str) -> str:
    r"""Return the text with the two characters ``\n`` as a space and ``\"`` as a quotation mark."""
    return text.replace("\\n", " ").replace('\\"', '"')


def undo_line_breaks(text: str) -> str:
    """Return the text with ``<br />`` as a space."""
    return text.replace("<br />", " ")


@dataclass(frozen=True)
class NamedSet:
    """What is known about a data set; the defaults are those of a set that is not in the table.

    Attributes:
        hub: Id on the hub; None for a set that is not in the table.
        subset: Configuration on the hub.
        text_columns: Columns joined with a newline into the text.
        label_column: Column of the gold class.
        clean: Rule that undoes the set's escapes, for the text of one column.
        class_names: Names of the classes, for copies that carry none.
        ordered: Whether the classes are ordered.
        headerless: All columns, for CSV copies that lack a header line.
        folder: Name of its folder under a data root.
    """

    hub: str | None = None
    subset: str | None = None
    text_columns: tuple[str, ...] = ("text",)
    label_column: str = "label"
    clean: Callable[[str], str] = unchanged
    class_names: tuple[str, ...] = ()
    ordered: bool = False
    headerless: tuple[str, ...] = ()
    folder: str | None = None


STARS = ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")
TOPICS = (
    "Society & Culture",
    "Science & Mathematics",
    "Health",
    "Education & Reference",
    "Computers & Internet",
    "Sports",
    "Business & Finance",
    "Entertainment & Music",
    "Family & Relationships",
    "Politics & Government",
)

NAMED = {
    "yelp": NamedSet(
        hub="Yelp/yelp_review_full",
        subset="yelp_review_full",
        clean=undo_escapes,
        class_names=STARS,
        ordered=True,
        folder="yelp_review_full",
    ),
    "imdb": NamedSet(
        hub="stanfordnlp/imdb", subset="plain_text", clean=undo_line_breaks, class_names=("neg", "pos"), folder="imdb"
    ),
    "amazon": NamedSet(
        hub="yassiracharki/Amazon_Reviews_for_Sentiment_Analysis_fine_grained_5_classes",
        text_columns=("title", "content"),
        class_names=STARS,
        ordered=True,
        headerless=("label", "title", "content"),
        folder="amazon_review_full",
    ),
    "yahoo": NamedSet(
        hub="community-datasets/yahoo_answers_topics",
        subset="yahoo_answers_topics",
        text_columns=("question_title", "question_content", "best_answer"),
        label_column="topic",
        clean=undo_escapes,
        class_names=TOPICS,
        folder="yahoo_answers_topics",
    ),
}


def has_ordered_classes(config: DataConfig) -> bool:
    """Return whether the classes are ordered, as the configuration or else the named set says."""
    if config.ordered is not None:
        return config.ordered
    return config.name == PLANTED or NAMED.get(config.name or "", NamedSet()).ordered
