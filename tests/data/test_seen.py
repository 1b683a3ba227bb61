"""Which documents training saw is told by their texts."""

import numpy as np
import pytest

from eraserhead.data.seen import SeenTexts, text_fingerprints
from eraserhead.errors import UserError
from eraserhead.loading.run_layout import RUN
from eraserhead.loading.training_data import read_seen_texts, write_seen_texts
from tiny import texts_dataset


def test_a_text_is_known_again_whatever_its_white_space():
    """Case, punctuation and order make another text; the trained role wins over the validation role."""
    seen = SeenTexts.of(texts_dataset(["good film", "bad film", "good film"]), texts_dataset(["so so", "bad film"]))
    assert (len(seen.trained_on), len(seen.validated_on)) == (2, 2)
    documents = texts_dataset([" good\n film", "bad film", "so  so", "Good film", "film good", "good film."])
    assert seen.roles(documents) == ["train", "train", "validation", "none", "none", "none"]


def test_fingerprints_are_of_each_text_alone_and_64_bits_wide():
    alone = text_fingerprints(texts_dataset(["b"]))
    assert alone.dtype == np.uint64
    assert text_fingerprints(texts_dataset(["a", "b"]))[1] == alone[0]
    many = text_fingerprints(texts_dataset([f"text {number}" for number in range(5_003)]))
    assert len(np.unique(many)) == 5_003
    assert many.max() > 2**63


def test_the_file_gives_back_what_was_written(tmp_path):
    seen = SeenTexts.of(texts_dataset(["good film", "bad film"]), texts_dataset(["so so"]))
    assert read_seen_texts(tmp_path) is None
    write_seen_texts(tmp_path, seen)
    found = read_seen_texts(tmp_path)
    assert found.trained_on.tolist() == seen.trained_on.tolist()
    assert found.validated_on.tolist() == seen.validated_on.tolist()
    assert found.fingerprint == seen.fingerprint
    assert found.fingerprint != SeenTexts(seen.validated_on, seen.trained_on).fingerprint
    assert b"good" not in (tmp_path / RUN.seen).read_bytes()
    (tmp_path / RUN.seen).write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"seen_texts.parquet: damaged \(.*move it out of the model's folder"):
        read_seen_texts(tmp_path)
