"""Settings of the data; standard library only, so that ``--help`` stays quick."""

from dataclasses import dataclass
from typing import Literal

from eraserhead.settings import LARGEST_SEED, option


@dataclass(frozen=True)
class DataConfig:
    r"""Where documents come from, and how many of them are used.

    Attributes:
        name: ``yelp``, ``imdb``, ``amazon``, ``yahoo`` or ``planted`` (columns, cleaning and class names come with
            the name), or the id of any other data set on the hub.
        path: Replaces the hub as the source: a folder in the hub's layout, written by ``save_to_disk``, or with one
            folder of texts for each label; or one parquet, CSV, TSV, JSON or text file, also compressed.
        subset: Configuration of a hub data set (its "config name").
        revision: Branch, tag or commit of a hub data set.
        streaming: Read the texts of a hub data set when they are needed, without a copy on disk; for ``erase`` and
            ``explain``, and files in parquet.
        text_columns: Columns joined with a newline into the text; default: the named set's own, else ``text``.
        pair_column: Column of a second sequence, such as the hypothesis of an inference data set; the tokenizer gets
            both as a pair.
        label_column: Column of the gold class, or of a list of labels for multi-label models; default: the named set's
            own, else ``label``.
        label_columns: Columns of 0 and 1, one for each label of a multi-label model, in place of a column of lists;
            their names are the labels.
        id_column: Column of the documents' ids, texts or whole numbers, each different; default: split and row number,
            such as ``test/17``.
        rationale_column: Column of what people marked as evidence in the texts that are erased: the spans of each text,
            in characters, as pairs or objects of start and end; or one 0 or 1 for each word (run without white space);
            or a list of these, one entry for each annotator. Rankings are compared with it.
        no_label: Labels that mean that a document has none, such as ``-`` where annotators disagree; training leaves
            these documents out. Null and empty always mean it; ``-1`` does where this is not given. Classes that have
            names are named by these or by their numbers.
        encoding: How the characters of a text file are encoded, such as ``cp1252``; default: what its byte order mark
            says, else UTF-8.
        separator: What stands between the columns of a text file, such as ``;`` or ``tab``; default: a comma in .csv, a
            tab in .tsv.
        quoting: How a field that holds the separator or a line break is written: in double quotation marks, where one
            inside is written twice (``double``) or after a backslash (``backslash``); in single ones, where one inside
            is written twice (``single``); or not at all, so that quotation marks are text (``none``); default: what a
            first line says that is quoted throughout, else ``none`` in .tsv, ``double`` in others.
        column_names: Names of all columns of a file without a header line, or in place of the one that it has.
        header: Whether the first line is a header, which ``column_names`` then replace, or already a row; default: a
            header, or, with ``column_names``, one if it holds any of them.
        field: Where the rows are in a JSON file that is one object: its key, keys inside each other joined with a dot.
        clean: Undo the named set's escapes (``\n``, ``<br />``); default: on for named sets, off for
            others.
        ordered: Whether the classes are ordered, so that distances between them mean something; default: on for yelp,
            amazon and planted, off for others.
        train_split: Split that is trained on.
        validation_split: Split for early stopping; default: ``validation_size`` documents are held out of training.
        test_split: Split that is tested and erased.
        train_size: Documents used for training, stratified by class; default: all.
        validation_size: Documents held out for validation, stratified by class.
        test_size: Documents used for testing, stratified by class; default: all.
        max_length: Most tokens of a document, special tokens included, for models that read it as a whole, or of each
            of its windows; tokens that are cut off are counted; default: the model's own limit, in training 256 or the
            encoder's window if that is less.
        long_documents: What happens to documents of more than ``max_length`` tokens, where a model reads them as a
            whole: they are cut at the end (``cut``); their middle is cut out (``head_tail``), so that the first quarter
            of what is left comes from the beginning; or the encoder reads all of them in windows that overlap, and one
            attention pools the tokens of all windows (``windows``); default: the model's own way, in training ``cut``.
        window_overlap: Tokens of the text that neighbouring windows share; default: the model's own, in training a
            quarter of ``max_length``.
        max_windows: Most windows of a document; tokens behind them are cut off and counted; default: the model's own
            limit, in training none.
        max_sentences: Most sentences of a document, for models that read it sentence by sentence; sentences that are
            cut off are counted; default: the model's own limit, 100 in training.
        max_sentence_length: Most tokens of a sentence, special tokens included; default: the model's own limit, in
            training 128 or the encoder's window if that is less.
        language: ISO 639 code of the language whose rules split texts into sentences; default: the model's own, in
            training ``en``.
        seed: Seed of the stratified samples, and of the built-in corpus.
        classes: Number of classes of the built-in corpus (2 to 5).
    """

    name: str | None = None
    path: str | None = None
    subset: str | None = None
    revision: str | None = None
    streaming: bool = False
    text_columns: list[str] | None = None
    pair_column: str | None = None
    label_column: str | None = None
    label_columns: list[str] | None = None
    id_column: str | None = None
    rationale_column: str | None = None
    no_label: list[str] | None = None
    encoding: str | None = None
    separator: str | None = None
    quoting: Literal["double", "single", "backslash", "none"] | None = None
    column_names: list[str] | None = None
    header: bool | None = None
    field: str | None = None
    clean: bool | None = None
    ordered: bool | None = None
    train_split: str = "train"
    validation_split: str | None = None
    test_split: str = "test"
    train_size: int | None = option(None, low=1)
    validation_size: int | None = option(None, low=1)
    test_size: int | None = option(None, low=1)
    max_length: int | None = option(None, low=1)
    long_documents: Literal["cut", "head_tail", "windows"] | None = None
    window_overlap: int | None = option(None, low=0)
    max_windows: int | None = option(None, low=1)
    max_sentences: int | None = option(None, low=1)
    max_sentence_length: int | None = option(None, low=1)
    language: str | None = None
    seed: int = option(0, low=0, high=LARGEST_SEED)
    classes: int = option(2, low=2, high=5, belongs_to={"name": ("planted",)})
