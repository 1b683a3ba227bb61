"""Tables from flat arrays, against one row at a time."""

import numpy as np
from numpy.testing import assert_array_equal

from eraserhead.erasure.analysed import ranges
from eraserhead.erasure.plausibility import _overlapping
from eraserhead.erasure.tabulate import _by_row


def test_ranges_follow_each_other():
    assert_array_equal(ranges(np.array([7, 2, 4]), np.array([2, 0, 3])), [7, 8, 4, 5, 6])
    assert_array_equal(ranges(np.array([], dtype=int), np.array([], dtype=int)), [])


def test_lists_of_a_row_come_together():
    """Rows of 2, 0 and 3 components, two lists each."""
    values = np.array([[1, 2, 3, 4, 5], [10, 20, 30, 40, 50]])
    assert_array_equal(_by_row(values, np.array([2, 0, 3])), [1, 2, 10, 20, 3, 4, 5, 30, 40, 50])


def test_a_component_is_evidence_where_it_shares_a_character_with_a_span():
    """Spans 0 to 2 and 4 to 8: a token without text, one that ends and one that begins at a border share nothing.

    Before it a document without spans, behind it one without components.
    """
    spans = [[], [{"start": 0, "end": 2}, {"start": 4, "end": 8}], [{"start": 0, "end": 9}]]
    starts, ends = np.array([0, 3, 0, 0, 2, 3, 5, 7, 8]), np.array([3, 6, 0, 2, 4, 5, 7, 9, 10])
    found = _overlapping(spans, starts, ends, np.array([2, 7, 0]))
    assert found.tolist() == [False, False, False, True, False, True, True, True, False]
