"""Merge the parts of an analysis into the results that one run gives."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from eraserhead.erasure.aggregates import aggregate
from eraserhead.erasure.config import MergeConfig
from eraserhead.erasure.ordinary import Percentiles
from eraserhead.erasure.parts import Part
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.setup import ErasureRun, Setup
from eraserhead.erasure.sharded import NAMES_ALONE
from eraserhead.erasure.summary import Summary
from eraserhead.errors import Setting, UserError, listed
from eraserhead.files import check_folder, differences
from eraserhead.locks import locked
from eraserhead.records import plain
from eraserhead.settings import check_settings

logger = logging.getLogger("eraserhead")

Number = TypeVar("Number", int, float)
Parts = dict[Part, tuple[ResultsFolder, Summary]]


def merge_folders(config: MergeConfig) -> ResultsFolder:
    """Merge finished parts; tables and aggregates are those of one run over all documents, bit for bit.

    Raises:
        UserError: Parts are missing, doubled, unfinished or of other results, or the output folder cannot be used.
    """
    check_settings(config)
    parts = _read_parts([ResultsFolder(Path(folder)) for folder in config.parts])
    results = ResultsFolder(Path(config.output_dir))
    _check_apart(results, parts)
    check_folder(results.path)
    with locked(results.path):
        return _merge(results, parts, config.overwrite)


def _merge(results: ResultsFolder, parts: Parts, overwrite: bool) -> ResultsFolder:
    setup = _whole(next(iter(parts.values()))[1].setup)
    results.check(setup, overwrite)
    results.open(setup)
    if results.complete:
        results.tidy()
        logger.info(f"{results.path}: already complete, nothing to do")
        return results
    folders, mend = [folder.path for folder, _ in parts.values()], "erase this part again"
    files = results.write_tables(folders, mend, Percentiles.of(folders, mend).added)
    labels = () if setup.site.targets is None else setup.model.classes
    aggregates = aggregate(results, setup.count_never_as, labels)
    summaries = [summary for _, summary in parts.values()]
    run = merged_run([summary.run for summary in summaries], files)
    half_precision = summaries[0].half_precision  # all parts check the same documents
    results.finish(Summary(**vars(aggregates), setup=setup, run=run, half_precision=half_precision))
    return results


def merged_run(runs: Sequence[ErasureRun], files: dict[str, str]) -> ErasureRun:
    """Return one record of several runs: seconds and shards are added up, and all devices and versions named.

    Args:
        runs: The runs.
        files: Digests of the merged tables.
    """
    searched = [run.search_seconds for run in runs if run.search_seconds is not None]
    packages = dict.fromkeys(name for run in runs for name in run.versions)
    versions = {name: _either(run.versions.get(name, "none") for run in runs) for name in packages}
    merged = ErasureRun(
        seconds=sum(run.seconds for run in runs),
        devices="; ".join(f"{count} x {found}" for found, count in Counter(run.devices for run in runs).items()),
        search_seconds=sum(searched) if searched else None,
        ranking_seconds=_added(run.ranking_seconds for run in runs),
        missed_sums=_most(run.missed_sums for run in runs),
        ranked=sum(run.ranked for run in runs),
        unlaid_spans=_added(run.unlaid_spans for run in runs),
        earlier_shards=sum(run.earlier_shards for run in runs),
        parts=len(runs),
        files=files,
        python=_either(run.python for run in runs),
        platform=_either(run.platform for run in runs),
        versions=versions,
    )
    several = [f"{name} {found}" for name, found in versions.items() if ", " in found]
    if several:
        logger.warning("the parts were made with several versions, and may differ in rounding: %s", "; ".join(several))
    return merged


def _most(found: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the largest number of each name."""
    most: dict[str, float] = {}
    for name, number in (item for each in found for item in each.items()):
        most[name] = max(number, most.get(name, number))
    return most


def _added(found: Iterable[Mapping[str, Number]]) -> dict[str, Number]:
    """Add up numbers of the same name."""
    added: dict[str, Number] = {}
    for name, number in (item for each in found for item in each.items()):
        added[name] = added[name] + number if name in added else number
    return added


def _read_parts(folders: Sequence[ResultsFolder]) -> Parts:
    """Return the parts in the order of their numbers.

    Raises:
        UserError: They are not all the parts of one analysis; the message names all that is wrong.
    """
    parts: Parts = {}
    problems: list[UserError] = []
    for folder in folders:
        summary = folder.checked_summary()
        part = None if summary.setup.part is None else Part.read(summary.setup.part)
        first = next(iter(parts.values()), None)
        if part is None:
            problems.append(UserError(f"{folder.path}: whole erasure results, no part"))
        elif first is not None and (strange := _strange(first[1].setup, summary.setup)):
            other = UserError.joined(map(Setting, strange), ", ")
            problems.append(
                UserError(f"{folder.path}: a part of other results than {first[0].path} (different: ", other, ")")
            )
        elif first is not None and part.of != (of := next(iter(parts)).of):
            problems.append(UserError(f"{folder.path}: one of {part.of} parts, and {first[0].path} is one of {of}"))
        elif part in parts:
            problems.append(UserError(f"{folder.path}: part {part} again, as {parts[part][0].path}"))
        else:
            parts[part] = folder, summary
    if parts and (missing := _missing(parts)):
        problems.append(UserError(f"missing: part{'s' * (len(missing) > 1)} {listed(map(str, missing))}"))
    if problems:
        raise UserError(UserError.joined(problems), "; give every part of one analysis once")
    found = sum(summary.documents.total for _, summary in parts.values())
    if found != (wanted := next(iter(parts.values()))[1].setup.data.documents):
        raise UserError(f"the parts have {found:,} documents of {wanted:,}; make all of them with one version")
    return dict(sorted(parts.items(), key=lambda item: item[0].number))


def _strange(first: Setup, second: Setup) -> list[str]:
    """Return the names of the settings in which two parts differ that make them parts of different results."""
    found = differences(plain(_whole(first)), plain(_whole(second)))
    return [name for name in found if name not in NAMES_ALONE]


def _missing(parts: Parts) -> list[Part]:
    of = next(iter(parts)).of
    return [part for part in (Part(number, of) for number in range(1, of + 1)) if part not in parts]


def _check_apart(results: ResultsFolder, parts: Parts) -> None:
    """Refuse one of the parts' own folders as that of the merged results."""
    if any(folder.path.resolve() == results.path.resolve() for folder, _ in parts.values()):
        raise UserError(Setting("output_dir", str(results.path)), ": is one of the parts; choose another folder")


def _whole(setup: Setup) -> Setup:
    """Return the setup of all parts together."""
    return replace(setup, part=None)


def _either(found: Iterable[str]) -> str:
    return ", ".join(sorted(set(found)))
