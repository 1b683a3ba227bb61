"""Reads the documents of results again with their model, for the numbers that tables do not store."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from accelerate import Accelerator
from datasets import Dataset, Features, Value
from scipy.special import expit

from eraserhead.data.arrow import arrow_table
from eraserhead.data.config import DataConfig
from eraserhead.erasure.setup import Setup
from eraserhead.errors import UserError
from eraserhead.explanation.decision_numbers import AffineNumbers, DecisionNumbers, Key, LimitNumbers
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.loading.config import SiteConfig
from eraserhead.loading.opened import OpenedModel, open_model
from eraserhead.loading.progress import Progress
from eraserhead.loading.targets import label_setup
from eraserhead.method.affine import AffineReading
from eraserhead.method.names import SENTENCES
from eraserhead.method.reading import Reading

logger = logging.getLogger("eraserhead")

SAME = 1e-4  # of probabilities; batches of another make-up move float32 by less, another reading by more
MOST_SPLITS = 12  # newlines of a pair's text that are tried as the one between the two
FEATURES = Features({"id": Value("string"), "text": Value("string")})
PAIR_FEATURES = Features({**FEATURES, "second": Value("int32")})


@dataclass(frozen=True)
class ReadAgain:
    """What was read of one decision.

    Attributes:
        decision: The class decided for.
        probabilities: Probability of each class.
        affine: The numbers of the head.
        limits: The limits of all sets.
    """

    decision: int
    probabilities: np.ndarray
    affine: AffineNumbers
    limits: LimitNumbers

    def distance(self, stored: DecisionNumbers) -> float:
        """Return how far its probabilities lie from stored ones; infinity where the decisions differ."""
        if self.decision != stored.decision or len(self.affine.weights) != len(stored.names):
            return np.inf
        return float(np.abs(self.probabilities - np.array(stored.probabilities)).max())


def with_affine_numbers(
    decisions: Sequence[DecisionNumbers], setup: Setup, accelerator: Accelerator
) -> list[DecisionNumbers]:
    """Add what their affine head decides from; a document that is not read as before stays as it is, with a line.

    Raises:
        UserError: The model cannot be found or read, or has changed since.
    """
    opened, stored = reopened(setup, accelerator), {each.key: each for each in decisions}
    texts = {each.id: each.text for each in decisions}
    found: dict[Key, ReadAgain] = {}
    if setup.data.pair_column is None:
        _read(opened, _texts(texts), stored, found, accelerator)
    unread = {each.id: each.text for each in decisions if each.key not in found and "\n" in each.text}
    if unread and not opened.reader.hierarchical:  # pairs, of which tables store the two texts as one
        _read(opened, _splits(unread), stored, found, accelerator)
    missing = [key for key in stored if key not in found]
    if missing:
        logger.info("%d decisions, such as on %s, are not read as before", len(missing), missing[0][0])
    return [
        replace(each, affine=found[each.key].affine, limits=found[each.key].limits) if each.key in found else each
        for each in decisions
    ]


def _read(
    opened: OpenedModel,
    documents: Dataset,
    stored: Mapping[Key, DecisionNumbers],
    found: dict[Key, ReadAgain],
    accelerator: Accelerator,
) -> None:
    """Add to `found` the readings that are most like the stored decisions, as far as any is."""
    for key, read in _readings(opened, documents, accelerator):
        known = stored.get(key)
        if known is not None and read.distance(known) < (found[key].distance(known) if key in found else SAME):
            found[key] = read


def reopened(setup: Setup, accelerator: Accelerator) -> OpenedModel:
    """Open the model of results at their site.

    Raises:
        UserError: It cannot be found or read, or has changed since.
    """
    model, site, limits = setup.model, setup.site, setup.limits
    hierarchical = limits.tokens is None
    targets = site.targets
    options = SiteConfig(
        site=site.site,
        components=None if hierarchical and site.components == SENTENCES else site.components,
        target=None if targets is None else list(targets.target),
        threshold=None if targets is None else targets.threshold,
        threshold_on="logit" if targets is not None and targets.threshold_on == "logit" else "probability",
    )
    checkpoint = load_checkpoint(
        model.name, model.revision, site.dtype, check=lambda found, name: label_setup(found, options, name)
    )
    by_sentence = hierarchical or site.components == SENTENCES
    data = DataConfig(
        max_length=limits.tokens,
        long_documents=None if hierarchical else limits.long_documents,
        window_overlap=limits.window_overlap,
        max_windows=limits.windows,
        max_sentences=limits.sentences if hierarchical else None,
        max_sentence_length=limits.sentence_tokens if hierarchical else None,
        language=limits.language if by_sentence else None,
    )
    opened = open_model(checkpoint, options, data, accelerator)
    if opened.model_setup.weights != model.weights:
        raise UserError(f"{model.name}: its weights are not those that were erased; they have changed since")
    return opened


def _texts(texts: Mapping[str, str]) -> Dataset:
    return Dataset.from_dict({"id": list(texts), "text": list(texts.values())}, features=FEATURES)


def _splits(texts: Mapping[str, str]) -> Dataset:
    """Return pairs, one for each newline at which a text may be split into two."""
    splits = [
        (name, text, place)
        for name, text in texts.items()
        for place in [at for at, character in enumerate(text) if character == "\n"][:MOST_SPLITS]
    ]
    names, written, places = zip(*splits, strict=True)
    columns = {"id": list(names), "text": list(written), "second": [place + 1 for place in places]}
    return Dataset.from_dict(columns, features=PAIR_FEATURES)


def _readings(opened: OpenedModel, documents: Dataset, accelerator: Accelerator) -> Iterator[tuple[Key, ReadAgain]]:
    """Read documents in batches, as `erase` does."""
    tokenized = opened.tokenize(documents)
    table: pa.Table = arrow_table(tokenized, tokenized.column_names)
    rows = opened.rows(table)
    with Progress("reading", len(table), accelerator) as progress:
        for batch in opened.batches(table, rows):
            reading = opened.read(rows, batch, ())
            assert isinstance(reading, AffineReading)
            names = [rows["id"][row] for row in batch]
            for row, read in enumerate(of_reading(reading)):
                yield _key(reading, names, row, opened.labels), read
            progress.advance(len(batch))


def _key(reading: Reading, names: Sequence[str], row: int, labels: Sequence[str]) -> Key:
    cases = reading.cases
    if cases is None:
        return names[row], None
    return names[int(cases.documents[row])], labels[int(cases.labels[row])]


def of_reading(reading: AffineReading) -> Iterator[ReadAgain]:
    """Yield the numbers of each row of an affine reading."""
    limits = reading.limits()
    lower, upper = expit(limits.certain_lower), expit(limits.certain_upper)
    weights, logits = reading.weights.numpy(force=True), reading.component_logits.numpy(force=True)
    bias = reading.bias.expand(len(weights), -1).numpy(force=True)
    probabilities = reading.unerased.logits.softmax(-1).numpy(force=True)
    decision = reading.unerased.decision.tolist()
    for row, n in enumerate(reading.lengths.tolist()):
        affine = AffineNumbers(weights[row, :n], logits[row, :n], bias[row])
        own = LimitNumbers(lower[row, : n + 1], upper[row, : n + 1])
        yield ReadAgain(decision[row], probabilities[row], affine, own)
