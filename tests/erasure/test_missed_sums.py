"""Whether scores that should sum to a change of the margin do, as results record it."""

from eraserhead.cli.main import main
from eraserhead.erasure.api import erase
from eraserhead.erasure.merging import _most
from tiny import random_texts, saved_classifier


def test_what_sums_of_integrated_gradients_miss_is_recorded_and_shown(tmp_path, capsys):
    folder, output = saved_classifier(tmp_path), str(tmp_path / "results")
    found = erase(
        folder, random_texts(3, seed=1), rankings=["saliency", "integrated_gradients"], output_dir=output, cpu=True
    )
    missed = found.summary.run.missed_sums
    assert list(missed) == ["integrated_gradients"]
    assert 0 < missed["integrated_gradients"] < 1e-2  # 32 steps of a tiny model, in float32
    capsys.readouterr()
    assert main(["show", output]) == 0
    most = f"{missed['integrated_gradients']:.2g}"
    line = f"integrated_gradients of a document misses the change of its margin by up to {most}"
    assert line in " ".join(capsys.readouterr().out.split())


def test_of_several_runs_the_largest_counts():
    assert _most([{"a": 1.0}, {"a": 3.0, "b": 2.0}, {}]) == {"a": 3.0, "b": 2.0}
