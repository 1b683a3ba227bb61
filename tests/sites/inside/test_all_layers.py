"""Replays of the whole model: rows without their invisible tokens."""

import pytest
import torch
from torch.testing import assert_close

from eraserhead.patch.families import FAMILIES
from families import CLOSES, OPENS, VARIANTS, batch_of, documents, erasure_masks, in_float64, patched_logits, slow, tiny
from inside_sites import keep_without, passes_of, random_sets, site_of
from readings import evaluated


@pytest.mark.parametrize(("number", "name"), [*enumerate(VARIANTS)])
def test_tokens_that_are_invisible_are_left_out_where_that_changes_nothing(number, name):
    """Where positions are given by ids and all heads are erased; also the token that the decision is read from.

    Row by row, so that a row's width is the number of its tokens: of the document of 7 the one that is read, where
    everything is erased, and the special tokens as well, where these are left out.
    """
    model, texts, oracle = tiny(name), documents((7, 5)), slow(name)
    sets = random_sets(texts, 1, oracle)
    reads_one = len(oracle.read_from(7)) == 1
    by_ids = FAMILIES[VARIANTS[name][0]].positions is not None and "windows" not in name
    specials = len({0, 6, *oracle.read_from(7)})
    kinds = [(None, (), 1), (None, (OPENS, CLOSES), specials), ((1,), (), 7)]
    for heads, left_out, least in (kinds[0], kinds[1 + number % 2]):
        reading = site_of(name, "all", heads, left_out, memory=1.0).read(batch_of(model, texts), ())
        with in_float64(), passes_of(model, single=False) as passes:
            found = evaluated(reading, keep_without(reading, sets))
        erased = [
            [each - {0, len(ids) - 1} if left_out else each for each in row]
            for ids, row in zip(texts, sets, strict=True)
        ]
        expected = patched_logits(model, "all", texts, erasure_masks(oracle, "all", texts, erased, heads))
        assert_close(found, expected, rtol=0, atol=1e-10)
        assert min(width for _, width in passes) == (least if by_ids and reads_one else 7)


def test_rows_are_not_shortened_where_that_is_not_asked_for():
    model, texts = tiny("bert"), documents((7, 5))
    masking = site_of("bert", "all", shorten=False).read(batch_of(model, texts), ())
    sets = random_sets(texts, 1, slow("bert"))
    with in_float64(), passes_of(model, single=False) as passes:
        found = evaluated(masking, keep_without(masking, sets))
    assert {width for _, width in passes} == {7}
    masks = erasure_masks(slow("bert"), "all", texts, sets)
    assert_close(found, patched_logits(model, "all", texts, masks), rtol=0, atol=1e-10)


def test_short_rows_run_together_and_come_back_in_their_order():
    """Of 7 tokens with 0, 6 and 3 erased: rows of 7, 1 and 4 tokens, the widest first, as many as fit."""
    model, texts = tiny("bert"), documents((7,))
    reading = site_of("bert", "all").read(batch_of(model, texts), ())
    sets = [[set(), {1, 2, 3, 4, 5, 6}, {2, 4, 6}]]
    keep = keep_without(reading, sets)
    narrow = site_of("bert", "all", memory=1.0).read(batch_of(model, texts), ())
    with in_float64():
        with passes_of(model, single=False) as passes:
            together = evaluated(reading, keep)
        assert passes == [(3, 7)]
        with passes_of(model, single=False) as passes:
            apart = evaluated(narrow, keep)
        assert passes == [(1, 7), (1, 4), (1, 1)]
        for erasure, erased in enumerate(sets[0]):
            expected = slow("bert").erased(texts[0], "all", erased)
            assert_close(together[0, erasure], expected, rtol=0, atol=1e-10)
            assert_close(apart[0, erasure], expected, rtol=0, atol=1e-10)
    assert torch.equal(together[0, 0].argmax(), reading.unerased.decision[0])
