"""Stratified samples of row numbers: exact in size, seeded, in source order."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eraserhead.data.labels import NO_LABEL
from eraserhead.errors import Setting, UserError

logger = logging.getLogger("eraserhead")

Integers = NDArray[np.int64]

HELD_OUT_SHARE = 10  # one document in ten is held out of training where no size is given


def allot(counts: Integers, size: int) -> Integers:
    """Divide `size` among strata of these sizes in proportion, by largest remainder.

    The result sums to `size` exactly and asks no stratum for more than it has. Ties go to the earlier stratum. Where
    `size` suffices, every stratum that has rows gets at least one, at the cost of the largest shares.

    Args:
        counts: Rows of each stratum.
        size: Rows wanted; at least 0 and at most the sum of `counts`.
    """
    total = max(1, int(counts.sum()))
    shares, remainders = size * counts // total, size * counts % total
    shares[np.argsort(-remainders, kind="stable")[: size - shares.sum()]] += 1
    for stratum in np.flatnonzero((shares == 0) & (counts > 0)):
        donor = int(np.argmax(shares))
        if shares[donor] > 1:
            shares[donor] -= 1
            shares[stratum] += 1
    return shares


def stratified(strata: Integers, size: int, seed: int) -> Integers:
    """Return `size` positions of `strata`, ascending, each stratum in proportion to its rows (see `allot`).

    Within a stratum the rows are drawn without replacement. The same seed and strata give the same positions.
    """
    _, members, counts = np.unique(strata, return_inverse=True, return_counts=True)
    rng = np.random.default_rng(seed)
    drawn = [
        rng.permutation(np.flatnonzero(members == stratum))[:share]
        for stratum, share in enumerate(allot(counts.astype(np.int64), size))
    ]
    return np.sort(np.concatenate(drawn)).astype(np.int64) if drawn else np.empty(0, np.int64)


def hold_out(strata: Integers, size: int | None, seed: int, default_of: int) -> Integers:
    """Return the positions of `size` rows to hold out, leaving at least one row of every stratum behind.

    Args:
        strata: Class of every row.
        size: Rows to hold out; None for a tenth of `default_of`, but at least one of every class that can spare one.
        seed: Seed of the draw.
        default_of: Rows for training, of which the default size is a tenth.

    Raises:
        UserError: If that many cannot be held out; the message says how many can.
    """
    spare = np.delete(np.arange(len(strata)), stratified_first(strata, seed))
    classes = len(strata) - len(spare)
    default = min(len(spare), max(default_of // HELD_OUT_SHARE, len(np.unique(strata[spare]))))
    wanted = default if size is None else size
    if not 0 < wanted <= len(spare):
        what = "no documents" if size is None else Setting("data.validation_size", size)
        raise UserError(
            what,
            f" can be held out of the {len(strata)} documents for training: one of each class ({classes}) stays, "
            f"so {len(spare)} can be held out at most; give ",
            Setting("data.validation_split"),
            ", or more data",
        )
    return spare[stratified(strata[spare], wanted, seed)]


def stratified_first(strata: Integers, seed: int) -> Integers:
    """Return one seeded row of every stratum, ascending."""
    return stratified(strata, len(np.unique(strata)), seed)


def training_rows(
    strata: Integers, train_size: int | None, validation_size: int | None, seed: int
) -> tuple[Integers, Integers]:
    """Divide the rows of a training split into those trained on and those held out: disjoint, each ascending.

    The default number held out is a tenth of `train_size`, or of all rows where that is None. Rows that neither
    sample needs are in neither.

    Raises:
        UserError: If both sizes together exceed the rows there are.
    """
    total = len(strata)
    if train_size is not None and train_size > total:
        raise UserError(Setting("data.train_size", train_size), f": the training split has {total} documents")
    held = hold_out(strata, validation_size, seed, total if train_size is None else train_size)
    rest = np.setdiff1d(np.arange(total), held, assume_unique=True)
    if train_size is None:
        return rest, held
    if train_size > len(rest):
        raise UserError(
            Setting("data.train_size", train_size),
            f" and {len(held)} documents held out for validation exceed the {total} "
            f"documents of the training split: it can be {len(rest)} at most, or give ",
            Setting("data.validation_split"),
        )
    return rest[stratified(strata[rest], train_size, seed)], held


def sample(strata: Integers, size: int | None, seed: int, what: str) -> Integers:
    """Return all row numbers, or a stratified sample of `size` of them.

    Raises:
        UserError: If there are fewer than `size`; `what` names the setting.
    """
    if size is None:
        return np.arange(len(strata))
    if size > len(strata):
        raise UserError(Setting(what, size), f": the split has {len(strata)} documents")
    return stratified(strata, size, seed)


def labelled_rows(classes: Integers, split: str, leave_out: bool) -> Integers:
    """Return the numbers of the rows that have a label; without `leave_out`, all must."""
    without = np.flatnonzero(classes == NO_LABEL)
    count = f"{len(without)} of the {len(classes)} rows of split '{split}' have no label"
    if len(without) == len(classes) or (len(without) and not leave_out):
        leave: tuple[str | Setting, ...] = ("; to leave them out, give ", Setting("data.no_label", [str(NO_LABEL)]))
        if len(without) == len(classes):
            leave = ("; name the column of the labels with ", Setting("data.label_column"))
        raise UserError(
            f"{count} (null, -1 or empty), the first is {split}/{without[0]}; training and validation need one for "
            "each",
            *leave,
        )
    if len(without):
        logger.info(f"{count}, and are left out, the first is {split}/{without[0]}")
    return np.flatnonzero(classes != NO_LABEL)


def check_classes(classes: Sequence[int] | Sequence[list[int] | None] | Integers, split: str) -> None:
    """Refuse training documents among which there is nothing to tell apart."""
    if len({str(own) for own in classes}) < 2:
        raise UserError(
            f"the {len(classes)} training documents of split '{split}' are all of one class; two or more are needed"
        )
