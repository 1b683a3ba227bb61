import torch

from eraserhead.method.orders import order_by


def test_keys_descend_by_sign_with_ties_in_reading_order_and_padding_last():
    """Padding carries the largest key of all, and one that is no number."""
    mask = torch.tensor([[True, True, True, True, False], [True, True, False, False, False]])
    nan = float("nan")
    key = torch.tensor([[3.0, -1.0, -5.0, 3.0, 9.0], [-2.0, 0.5, nan, 9.0, nan]], dtype=torch.float64)
    assert order_by(key, mask).tolist() == [[0, 3, 1, 2, 4], [1, 0, 2, 3, 4]]


def test_ties_stay_in_reading_order_in_long_documents():
    """Of three values among a thousand; sorts that are not stable keep the order of a few dozen by chance."""
    key = torch.randint(0, 3, (2, 1009), generator=torch.Generator().manual_seed(0)).double()
    mask = torch.arange(1009) < torch.tensor([[1009], [613]])
    found = order_by(key, mask)
    for row, n in enumerate((1009, 613)):
        expected = sorted(range(n), key=lambda at: (-key[row, at].item(), at))
        assert found[row].tolist() == [*expected, *range(n, 1009)]


def test_infinite_keys_are_before_padding():
    """A component of the lowest key that there is still comes before padding, by its place."""
    key = torch.tensor([[-torch.inf, 1.0, 7.0]], dtype=torch.float64)
    assert order_by(key, torch.tensor([[True, True, False]])).tolist() == [[1, 0, 2]]
