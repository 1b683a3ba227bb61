"""What `import eraserhead` gives, what it leaves alone, and how quickly."""

import ast
import time
from pathlib import Path

import pytest

import eraserhead
from families import new_model, tiny
from interpreters import fresh_interpreter
from tiny import saved_classifier, tiny_tokenizer

PUBLIC = {
    *(
        "erase",
        "explain",
        "explore",
        "merge",
        "plot",
        "train",
        "push",
        "read",
        "erasable",
        "AttentionRecord",
        "DataConfig",
        "Erasure",
    ),
    *("Explanation", "Ranking", "Reading", "UserError", "Comparison", "compare", "Atlas", "atlas"),
    *("AttentionPoolingConfig", "AttentionPoolingForSequenceClassification"),
}


def test_the_public_names_are_these_and_no_others():
    assert set(eraserhead.__all__) == PUBLIC
    assert {name for name in dir(eraserhead) if not name.startswith("__")} == PUBLIC
    for name in PUBLIC:
        assert getattr(eraserhead, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'train_model'"):
        _ = eraserhead.train_model  # pyright: ignore


def test_type_checkers_see_the_names_that_there_are():
    """The imports under TYPE_CHECKING and the table are one list."""
    tree = ast.parse(Path(str(eraserhead.__file__)).read_text())
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    assert all(alias.asname == alias.name for node in imports for alias in node.names)  # a re-export
    assert {alias.name: node.module for node in imports for alias in node.names} == eraserhead._HOMES


def test_importing_is_quick_and_brings_neither_torch_nor_transformers():
    code = (
        "import sys, time; start = time.process_time(); import eraserhead; seconds = time.process_time() - start\n"
        "print(seconds, 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    seconds, *heavy = fresh_interpreter(code).stdout.split()
    assert heavy == ["False", "False"]
    assert float(seconds) < 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    "order",
    [
        pytest.param("import eraserhead, transformers", marks=pytest.mark.thorough),
        "import transformers.pipelines, eraserhead",
    ],
)
def test_the_pipeline_of_other_models_is_transformers_own(tmp_path, order):
    """A plain BERT gets the pipeline class itself, not a subclass; our model still gets ours."""
    new_model("bert").float().save_pretrained(tmp_path / "bert")
    tiny_tokenizer().save_pretrained(tmp_path / "bert")
    folders = [str(tmp_path / "bert"), saved_classifier(tmp_path)]
    code = (
        f"{order}\nfrom transformers import pipeline, TextClassificationPipeline\n"
        f"for folder in {folders!r}:\n"
        "    for task in ('text-classification', 'sentiment-analysis'):\n"
        "        found = type(pipeline(task, model=folder, device='cpu'))\n"
        "        print(found is TextClassificationPipeline, found.__module__, found.__name__)\n"
    )
    done = fresh_interpreter(code)
    own = "True transformers.pipelines.text_classification TextClassificationPipeline"
    ours = "False eraserhead.models.pipeline_attention_pooling AttentionPoolingPipeline"
    assert done.stdout.splitlines() == [own, own, ours, ours], done.stderr


def test_a_models_call_costs_next_to_nothing_more():
    """The check of keywords, on a call that does nothing else."""
    model = tiny("bert")
    call, plain = type(model).__call__, type(model).__call__.__wrapped__
    forward, model.forward = model.forward, lambda **inputs: None
    try:
        times = []
        for run in (plain, call):
            start = time.perf_counter()
            for _ in range(2000):
                run(model, input_ids=None, attention_mask=None)
            times.append(time.perf_counter() - start)
    finally:
        model.forward = forward
    assert (times[1] - times[0]) / 2000 < 50e-6  # seconds a call
