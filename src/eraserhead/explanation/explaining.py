"""Explain one document: its attention word by word, and what each ranking must erase to flip its decision."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from itertools import compress
from typing import Any

import torch
from accelerate import Accelerator
from datasets import Dataset
from transformers import PreTrainedConfig

from eraserhead.data.document_checks import check_text
from eraserhead.data.given import GivenColumns, given_content, given_documents
from eraserhead.data.label_sets import LABELS
from eraserhead.data.words import word_spans
from eraserhead.errors import Setting, UserError
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explained import Explanation, RankingExplained, Word
from eraserhead.explanation.explained_numbers import explained_numbers
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import Checkpoint, load_checkpoint
from eraserhead.loading.components import Components, components_of
from eraserhead.loading.components_choice import over_sentences
from eraserhead.loading.config import ALL, LARGEST, PREDICTED
from eraserhead.loading.opened import documents_for, open_model
from eraserhead.loading.site_table import check_site
from eraserhead.loading.targets import decides_by_label, label_setup
from eraserhead.loading.waiting import waiting
from eraserhead.method.analysis import Analysis, Draws, RankingFlips, analyse
from eraserhead.method.cases import STATES, Cases
from eraserhead.method.names import PRODUCT, RANDOM, TOKENS, WORDS, YARDSTICKS, Outcome
from eraserhead.method.reading import Reading
from eraserhead.rankings.registry import registered, signals_of
from eraserhead.settings import check_settings

logger = logging.getLogger("eraserhead")

TEXT_ID = "text"  # id of a text that has none; it seeds the random ranking
SOURCES = ("text", "file", "id")  # settings, of which exactly one must be given


def explain(config: ExplainConfig) -> Explanation:
    """Explain one decision.

    Raises:
        UserError: The model, the text or the document cannot be used.
    """
    check_settings(config)
    check_site(config)
    given = [Setting(name) for name in SOURCES if getattr(config, name) is not None]
    if len(given) != 1:
        named = UserError.joined(given, " and ") if given else "none"
        raise UserError("explain: give one of ", UserError.joined(map(Setting, SOURCES), ", "), ", not ", named)
    if config.pair is not None and config.id is not None:
        raise UserError(
            Setting("pair", config.pair), ": a document of the data brings its own, from ", Setting("data.pair_column")
        )
    accelerator = devices.start(config.cpu)
    with waiting("loading the model"):
        checkpoint = load_checkpoint(
            config.model,
            config.revision,
            config.dtype,
            config.trust_remote_code,
            lambda found, name: label_setup(found, one_target(config, found), name),
        )
    with waiting("explaining"):
        return explain_row(checkpoint, _row(config, checkpoint), config, accelerator)


def explain_row(checkpoint: Checkpoint, row: Dataset, config: ExplainConfig, accelerator: Accelerator) -> Explanation:
    """Explain the one document of `row`.

    Raises:
        UserError: The model cannot be used so, or its tokenizer does not tell where tokens lie in the text.
    """
    if not checkpoint.tokenizer.is_fast:
        raise UserError("explain: this tokenizer gives no offsets, so words cannot be shown; use a fast tokenizer")
    by_sentence = over_sentences(checkpoint.model, config.site)
    if config.components is None and not by_sentence:
        config = replace(config, components=WORDS)
    opened = open_model(checkpoint, one_target(config, checkpoint.model.config), config.data, accelerator)
    rows = opened.tokenize(row)[:]
    rankings = registered()
    reading = opened.read(rows, [0], signals_of(rankings) | {PRODUCT})
    document: dict[str, Any] = {name: column[0] for name, column in rows.items()}
    draws = Draws([document["id"]], config.seed, config.draws)
    with devices.counted(reading, accelerator) as counted:
        ranked = {ranking.name: ranking.ranked(counted) for ranking in rankings}
        orders = {name: each.order for name, each in ranked.items()}
        analysis = analyse(counted, orders, draws, greedy=config.search == "greedy")
    components = components_of(document, checkpoint.tokenizer, opened.setup.components)
    components = components.at(reading.positions[0, : int(reading.lengths[0])].tolist())
    cases = reading.cases
    names = checkpoint.class_names if cases is None else STATES
    label = document["label"] if cases is None else _state(document.get(LABELS), cases)
    target = None if cases is None else checkpoint.class_names[int(cases.labels[0])]
    probabilities = reading.unerased.logits.softmax(-1)[0].tolist()
    return Explanation(
        text=document["text"],
        label=None if label is None else names[label],
        decision=names[int(reading.unerased.decision[0])],
        probabilities=dict(zip(names, probabilities, strict=True)),
        words=_words(document["text"], components, reading, analysis),
        inside=_inside(document, checkpoint, opened.inputs(rows, [0]), reading) if by_sentence else None,
        rankings=_rankings(analysis, names),
        components=int(reading.lengths[0]),
        truncated_tokens=document["truncated_tokens"],
        site=opened.setup,
        second=document.get("second"),
        target=target,
        on=() if cases is None else tuple(compress(checkpoint.class_names, cases.on[0].tolist())),
        model=checkpoint.name,
        numbers=explained_numbers(document, components, reading, ranked, analysis, (target, label)),
    )


def one_target(config: ExplainConfig, found: PreTrainedConfig) -> ExplainConfig:
    """Return the options with one label, of a model that decides label by label: by default the largest.

    Raises:
        UserError: They name several.
    """
    if not decides_by_label(found):
        return config
    if config.target in (None, [PREDICTED]):
        return replace(config, target=[LARGEST])
    if config.target is not None and (len(config.target) > 1 or config.target == [ALL]):
        raise UserError(Setting("target", config.target), ": one label is explained at a time; name it")
    return config


def _state(labels: list[int] | None, cases: Cases) -> int | None:
    return None if labels is None else int(int(cases.labels[0]) in labels)


def _row(config: ExplainConfig, checkpoint: Checkpoint) -> Dataset:
    if config.id is not None:
        return _document(config, checkpoint)
    if config.file is not None:
        try:
            with open(config.file, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{config.file}: cannot be read as text ({error})") from error
    else:
        text = config.text or ""
    check_text(text, Setting("text"))
    if config.pair is not None:
        pair = [(text, check_text(config.pair, Setting("pair")))]
        return given_documents(given_content(pair, GivenColumns(), None), GivenColumns(), 0, [TEXT_ID]).rows
    trained_on = checkpoint.data
    if trained_on is not None and trained_on.pair_column is not None:
        logger.info(
            "the model was trained on pairs of texts, and this is one text; give the second with %s", Setting("pair")
        )
    return Dataset.from_dict({"id": [TEXT_ID], "text": [text], "label": [None]})


def _document(config: ExplainConfig, checkpoint: Checkpoint) -> Dataset:
    documents = documents_for(checkpoint, config.data)
    ids = list(documents.rows["id"])
    if config.id not in ids:
        raise UserError(
            Setting("id", config.id), f": no such document among the {len(ids)}, such as {ids[0]} and {ids[-1]}"
        )
    return documents.read([ids.index(config.id)])


def _words(text: str, shown: Components, reading: Reading, analysis: Analysis) -> list[Word]:
    weights, products = reading.weights[0].tolist(), reading.signals[PRODUCT][0].tolist()
    minimal = _minimal_set(analysis)
    return [
        _word(text, shown, [number], weights[number], products[number], number in minimal)
        for number in range(len(shown.names))
    ]


def _word(
    text: str, components: Components, group: list[int], weight: float, product: float = 0.0, erased: bool = False
) -> Word:
    """Return what neighbouring components cover of the text; the first one's name where that is nothing visible."""
    assert components.starts is not None
    assert components.ends is not None
    start, end = components.starts[group[0]], components.ends[group[-1]]
    return Word(
        name=text[start:end].strip() or components.names[group[0]],
        start=start,
        end=end,
        attention=weight,
        gradient=product,
        erased=erased,
    )


def _inside(
    document: Mapping[str, Any], checkpoint: Checkpoint, inputs: Mapping[str, torch.Tensor], read: Reading
) -> list[list[Word]]:
    """Return the words of each sentence with their attention within it."""
    model = checkpoint.model
    with torch.no_grad():
        weights = model(**inputs).word_weights[0].tolist()
    names = ("input_ids", "starts", "ends")
    found = []
    for sentence in read.positions[0, : int(read.lengths[0])].tolist():
        within = weights[sentence]
        own = {name: None if document[name] is None else document[name][sentence] for name in names}
        shown = [place for place, weight in enumerate(within) if weight > 0]
        tokens = components_of(own, checkpoint.tokenizer, TOKENS).at(shown)
        groups = word_spans(document["text"], tokens.starts or [], tokens.ends or [])
        found.append(
            [_word(document["text"], tokens, group, sum(within[shown[place]] for place in group)) for group in groups]
        )
    return found


def _minimal_set(analysis: Analysis) -> set[int]:
    for ranking in analysis.flips:
        if ranking.ranking in YARDSTICKS and ranking.flips.outcome[0] != Outcome.NEVER:
            return set(ranking.order[0, : int(ranking.flips.removed[0])].tolist())
    return set()


def _rankings(analysis: Analysis, names: tuple[str, ...]) -> list[RankingExplained]:
    single = [flips for flips in analysis.flips if flips.ranking != RANDOM]
    random = [flips for flips in analysis.flips if flips.ranking == RANDOM]
    return [*(_explained(flips, names) for flips in single), *_random(random)]


def _explained(ranking: RankingFlips, names: tuple[str, ...]) -> RankingExplained:
    outcome = Outcome(int(ranking.flips.outcome[0]))
    if outcome is Outcome.NEVER:
        return RankingExplained(ranking.ranking, None, None, outcome.label, None)
    becomes = names[int(ranking.flips.becomes[0])]
    removed, mass = int(ranking.flips.removed[0]), float(ranking.flips.mass[0])
    return RankingExplained(ranking.ranking, removed, mass, outcome.label, becomes)


def _random(draws: list[RankingFlips]) -> list[RankingExplained]:
    if not draws:
        return []
    outcomes = torch.stack([draw.flips.outcome[0] for draw in draws])
    flipping = [draw.flips for draw in draws if draw.flips.outcome[0] != Outcome.NEVER]
    outcome = Outcome(int(outcomes.mode().values)).label
    if not flipping:
        return [RankingExplained(RANDOM, None, None, outcome, None, (0, len(draws)))]
    removed = sum(int(flips.removed[0]) for flips in flipping) / len(flipping)
    mass = sum(float(flips.mass[0]) for flips in flipping) / len(flipping)
    return [RankingExplained(RANDOM, removed, mass, outcome, None, (len(flipping), len(draws)))]
