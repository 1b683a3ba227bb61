"""`attention_keep` and `attention_record` outside `erasable(model)` are refused, whatever the model and its origin."""

import pytest
import torch
from transformers import AutoModel, BertConfig

from eraserhead.errors import UserError
from eraserhead.patch.interface import AttentionRecord, erasable
from eraserhead.patch.keywords import ALL
from families import VARIANTS, batch_of, documents, tiny
from interpreters import fresh_interpreter
from tiny import tiny_classifier


def asked(model) -> dict[str, object]:
    keep = torch.ones(5, 1, 1, 1, batch_of(model, documents())["input_ids"].shape[1], dtype=torch.bool)
    return {"attention_keep": {1: keep}, "attention_record": AttentionRecord(layers=[1])}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_family_refuses_them_outside_and_takes_them_inside(name):
    model = tiny(name)
    inputs = batch_of(model, documents())
    for keyword, value in asked(model).items():
        with pytest.raises(UserError, match=rf"{keyword}: has no effect here; .*`with erasable\(model\):`"):
            model(**inputs, **{keyword: value})
    with torch.no_grad(), erasable(model):
        record = AttentionRecord(layers=[1])
        model(**inputs, attention_record=record)
    assert record.weights[1].shape[0] == 5
    with pytest.raises(UserError, match="attention_record"):
        model(**inputs, attention_record=record)  # the context has ended


def test_a_part_of_the_model_refuses_them_inside_the_context():
    """`erasable(model)` takes the keywords of the model's own calls, not of its encoder's."""
    model = tiny("bert")
    with erasable(model), pytest.raises(UserError, match="attention_keep"):
        model.bert(**batch_of(model, documents()), attention_keep=asked(model)["attention_keep"])


def test_nothing_asked_for_is_nothing_refused():
    model = tiny("bert")
    inputs = batch_of(model, documents())
    with torch.no_grad():
        assert torch.equal(model(**inputs, **dict.fromkeys(ALL)).logits, model(**inputs).logits)


def test_our_own_model_refuses_them_too(tmp_path):
    model = tiny_classifier(tmp_path)
    with pytest.raises(UserError, match="attention_keep"):
        model(input_ids=torch.tensor([[5, 7]]), attention_keep={})


@pytest.mark.slow
@pytest.mark.parametrize(
    "order",
    [
        pytest.param("import eraserhead, transformers", marks=pytest.mark.thorough),
        "import transformers.modeling_utils, eraserhead",
    ],
)
def test_importing_the_package_is_enough_to_be_refused(order):
    code = (
        f"{order}\nfrom transformers import AutoModel, BertConfig\nimport torch\n"
        "model = AutoModel.from_config(BertConfig(vocab_size=11, hidden_size=6, num_hidden_layers=1, "
        "num_attention_heads=2, intermediate_size=7))\n"
        "model(input_ids=torch.tensor([[1, 2]]), attention_keep={0: None})"
    )
    done = fresh_interpreter(code)
    assert "UserError: attention_keep: has no effect here" in done.stderr


@pytest.mark.slow
def test_compiled_models_run_as_before():
    torch.manual_seed(0)
    config = BertConfig(vocab_size=11, hidden_size=6, num_hidden_layers=1, num_attention_heads=2, intermediate_size=7)
    model = AutoModel.from_config(config).eval()
    compiled = torch.compile(model, backend="eager")
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        torch.testing.assert_close(compiled(input_ids=ids).last_hidden_state, model(input_ids=ids).last_hidden_state)
