"""Check the options of a push before any work is done."""

import os
import re
from collections.abc import Iterator

from eraserhead.errors import Setting, UserError
from eraserhead.publishing.config import PushConfig
from eraserhead.publishing.facts import Options
from eraserhead.publishing.licenses import given_license
from eraserhead.publishing.target import MAIN, Target, check_name, check_reference
from eraserhead.settings import check_settings

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*|code|multilingual")
OF_CARDS = ("private", "license", "license_name", "license_link", "language")


def is_hub_id(config: PushConfig) -> bool:
    """Tell whether the model is one on the hub, whose own repository gets its results."""
    return not config.dataset and config.repository in (None, config.model) and not os.path.lexists(config.model)


def target_of(config: PushConfig) -> Target:
    """Return where the options push to."""
    repository = config.repository or config.model
    kind = "dataset" if config.dataset else "model"
    return Target(repository, config.private, config.revision, config.tag, kind, config.as_pull_request)


def checked_options(config: PushConfig) -> Options:
    """Return how something is published.

    Raises:
        UserError: A name is not valid, or an option does not go with the others.
    """
    check_settings(config)
    _check_names(config)
    problems = list(_problems(config))
    if problems:
        raise UserError.joined(problems)
    return Options(
        target_of(config).repository,
        given_license(config.license, config.license_name, config.license_link),
        tuple(config.language or ()),
        config.include_texts,
        tuple(config.examples or ()),
        config.page,
    )


def _check_names(config: PushConfig) -> None:
    here = os.path.lexists(config.model)
    if config.repository is None and (config.dataset or here):
        raise UserError(f"{config.model}: give the name of a repository too, such as user/name")
    if not here and not config.dataset and not is_hub_id(config) and config.model.count("/") == 1:
        raise UserError(
            f"{config.model}: no such folder here; a model on the hub gets its results in its own repository: leave "
            f"{config.repository} out"
        )
    check_name(target_of(config).repository)
    check_reference(Setting("revision", config.revision))
    check_reference(Setting("tag", config.tag))


def _problems(config: PushConfig) -> Iterator[UserError]:
    wrong = [code for code in config.language or () if not LANGUAGE.fullmatch(code)]
    if wrong:
        yield UserError(Setting("language", wrong), ": give ISO 639 codes such as en")
    examples = config.examples or ()
    for number, text in enumerate(examples, 1):
        if not text.strip():
            yield UserError(Setting("examples"), f": text {number} of {len(examples)} is empty; leave it out")
    if is_hub_id(config):
        yield from _given(config, OF_CARDS, ": has no effect on a model on the hub, which keeps its own; leave it out")
        if config.erasure is None:
            yield UserError(f"{config.model}: no such folder here; for a model on the hub, give ", Setting("erasure"))
    if config.dataset:
        why = ": has no effect on a data set of results, which holds no model; leave it out"
        yield from _given(config, ("examples", "trust_remote_code"), why)
    if config.as_pull_request:
        why = ": has no effect on a pull request, which is opened against the main branch; leave it out"
        yield from _given(config, ("private", "tag"), why)
        if config.revision != MAIN:
            yield UserError(Setting("revision", config.revision), why)
    if config.page and not config.examples and not config.include_texts:
        yield UserError(
            *(Setting("page", True), ": would show the documents' texts; publish these with "),
            *(Setting("include_texts", True), ", or give texts of your own with ", Setting("examples")),
        )


def _given(config: PushConfig, names: tuple[str, ...], why: str) -> Iterator[UserError]:
    settings = (Setting(name, getattr(config, name)) for name in names)
    yield from (UserError(setting, why) for setting in settings if setting.value not in (None, False))
