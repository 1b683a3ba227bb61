import ast
import json
import re
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BartConfig,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    RobertaConfig,
    T5Config,
    Trainer,
    TrainingArguments,
    pipeline,
)

from eraserhead.errors import UserError
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.models import modeling_attention_pooling
from eraserhead.models.architecture import Architecture
from eraserhead.models.configuration_attention_pooling import FORMAT_VERSION, AttentionPoolingConfig
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.pooling import AttentionPooling, attend
from interpreters import fresh_interpreter, label_by_pipeline
from tiny import random_texts, saved_classifier, saved_hierarchical, tiny_classifier, tiny_encoder, tiny_tokenizer

TEXTS = ["a fine cast wasted on a script that never wakes up", "good", "", "it was not bad but dull"]


def batch(texts):
    return tiny_tokenizer()(texts, return_tensors="pt", padding=True)


def test_attend_by_hand():
    """Scores (0, ln 3, 7) with the last masked: weights 1/4 and 3/4; vectors (4) and (8): pooled 7."""
    scores = torch.tensor([[0.0, torch.log(torch.tensor(3.0)), 7.0]])
    pooled, weights = attend(torch.tensor([[[4.0], [8.0], [100.0]]]), scores, torch.tensor([[True, True, False]]))
    assert_close(weights, torch.tensor([[0.25, 0.75, 0.0]]))
    assert_close(pooled, torch.tensor([[7.0]]))


def test_scores_are_additive_attention():
    """s = w . tanh(M v + m), written out."""
    torch.manual_seed(0)
    pooling = AttentionPooling(3, 5)
    vectors = torch.randn(2, 7, 3)
    expected = torch.tanh(vectors @ pooling.projection.weight.T + pooling.projection.bias) @ pooling.context.weight[0]
    assert_close(pooling.scores(vectors), expected)


def test_weights_leave_out_special_tokens_and_padding(tmp_path):
    model, inputs = tiny_classifier(tmp_path), batch(TEXTS)
    weights = model(**inputs).pooling_weights
    special = torch.isin(inputs["input_ids"], torch.tensor([0, 2, 3]))
    assert (weights[special] == 0).all()
    assert_close(weights.sum(-1), torch.tensor([1.0, 1.0, 0.0, 1.0]))


def test_empty_text_gives_the_bias(tmp_path):
    model = tiny_classifier(tmp_path)
    assert_close(model(**batch([""])).logits[0], model.head.classifier.bias, rtol=0, atol=0)


def test_padding_changes_nothing(tmp_path):
    model = tiny_classifier(tmp_path).double()
    together = model(**batch(TEXTS)).logits
    for row, text in enumerate(TEXTS):
        assert_close(model(**batch([text])).logits[0], together[row], rtol=0, atol=1e-12)


def test_keep_erases_weights_and_leaves_the_vectors(tmp_path):
    """The logits after erasure are those of the renormalised average of the same token vectors."""
    model, inputs = tiny_classifier(tmp_path).double(), batch(TEXTS[:1])
    whole = model(**inputs)
    keep = torch.ones_like(inputs["input_ids"], dtype=torch.bool)
    keep[0, [2, 3, 5]] = False
    erased = whole.pooling_weights * keep
    vectors = model.token_vectors(inputs["input_ids"], inputs["attention_mask"])
    pooled = torch.einsum("bn,bnh->bh", erased / erased.sum(-1, keepdim=True), vectors)
    result = model(**inputs, keep=keep)
    assert_close(result.logits, model.head.classifier(pooled), rtol=0, atol=1e-12)
    assert not torch.allclose(result.logits, whole.logits)
    nothing = model(**inputs, keep=torch.zeros_like(keep))
    assert_close(nothing.logits[0], model.head.classifier.bias)


def test_loss_is_the_cross_entropy(tmp_path):
    model, inputs = tiny_classifier(tmp_path), batch(TEXTS)
    labels = torch.tensor([0, 1, 1, 0])
    output = model(**inputs, labels=labels)
    assert_close(output.loss, -output.logits.log_softmax(-1)[range(4), labels].mean())


def test_save_and_load_are_exact(tmp_path):
    folder, inputs = saved_classifier(tmp_path), batch(TEXTS)
    model = AttentionPoolingForSequenceClassification.from_pretrained(folder)
    again = AutoModelForSequenceClassification.from_pretrained(folder)
    assert torch.equal(model(**inputs).logits, again(**inputs).logits)
    assert torch.equal(model(**inputs).logits, tiny_classifier(tmp_path)(**inputs).logits)


def again(order: str):
    """An order of imports that is the same to the code as another one, as far as is known."""
    return pytest.param(order, marks=pytest.mark.thorough)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["transformers", again("eraserhead")])
def test_auto_classes_know_the_model_whichever_is_imported_first(tmp_path, first):
    done = label_by_pipeline(saved_classifier(tmp_path), "good", first)
    assert done.stdout.strip() in ("neg", "pos"), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    [
        "import eraserhead\nfrom transformers import AutoTokenizer, AutoModelForSequenceClassification",
        again(
            "import transformers, eraserhead\n"
            "from transformers import AutoTokenizer, AutoModelForSequenceClassification"
        ),
        "from transformers import AutoTokenizer\nimport eraserhead\n"
        "from transformers import AutoModelForSequenceClassification",
        again(
            "from eraserhead import AttentionPoolingConfig\nfrom transformers import AutoModelForSequenceClassification"
        ),
    ],
)
def test_auto_classes_know_the_model_whatever_is_imported_before(tmp_path, imports):
    code = f"{imports}\nprint(type(AutoModelForSequenceClassification.from_pretrained({saved_classifier(tmp_path)!r})))"
    done = fresh_interpreter(code)
    assert "AttentionPoolingForSequenceClassification" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limits": {"language": None}}, "limits: language is None"),
        ({"limits": {"sentences": 0}}, "limits: sentences is 0"),
        ({"limits": {"sentence_tokens": "abc"}}, "limits: sentence_tokens is 'abc'"),
        ({"limits": {"pages": 3}}, "limits: unknown key 'pages'"),
        ({"context": "lstm"}, "context: no context encoder 'lstm'"),
        ({"sentence_context": "lstm"}, "sentence_context: no context encoder"),
        ({"filter_widths": []}, "filter_widths is empty"),
        ({"special_token_ids": ["a"]}, "invalid literal"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        AttentionPoolingConfig(**changes)


def test_a_configuration_of_another_kind_of_head_is_refused(tmp_path):
    folder = Path(saved_hierarchical(tmp_path))
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "hierarchical": False}))
    with pytest.raises(UserError, match=r"its weights contain 'head\.sentences"):
        load_checkpoint(str(folder))


def test_modules_that_are_pushed_import_only_what_their_users_have():
    """torch, transformers, sentencex, the standard library, and flat siblings that are pushed too."""
    folder = Path(modeling_attention_pooling.__file__).parent
    names = ["modeling_attention_pooling", "configuration_attention_pooling", "pipeline_attention_pooling"]
    seen = set()
    while names:
        name = names.pop()
        seen.add(name)
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1
                assert "." not in (node.module or ".")
                names += [node.module] if node.module not in seen else []
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                module = node.names[0].name if isinstance(node, ast.Import) else node.module
                top = str(module).partition(".")[0]
                assert top in {"torch", "transformers", "sentencex"} | sys.stdlib_module_names
    assert seen >= {"architecture", "heads", "context", "pooling", "splitting"}


def test_importing_the_package_does_not_import_torch():
    code = "import sys, eraserhead, eraserhead.cli.main; print('torch' in sys.modules, 'transformers' in sys.modules)"
    assert fresh_interpreter(code).stdout.split() == ["False", "False"]


def test_pipeline_scores_are_the_models_own(tmp_path):
    folder = saved_classifier(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    scores = pipeline("text-classification", model=folder, top_k=None)(TEXTS[:1])[0]
    expected = model(**batch(TEXTS[:1])).logits.softmax(-1)[0]
    assert_close(torch.tensor([score["score"] for score in scores]), expected.sort(descending=True).values)


def test_trains_under_the_trainer(tmp_path):
    model = tiny_classifier(tmp_path)
    texts = random_texts(32)
    rows = [{**tiny_tokenizer()(text), "labels": int("good" in text)} for text in texts]
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"), max_steps=3, report_to=[], use_cpu=True, learning_rate=1e-2, disable_tqdm=True
    )
    before = model.head.classifier.weight.clone()
    trainer = Trainer(model, arguments, train_dataset=rows, eval_dataset=rows, processing_class=tiny_tokenizer())
    trainer.train()
    assert not torch.equal(model.head.classifier.weight.cpu(), before)
    assert trainer.predict(rows).predictions.shape == (32, 2)


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_cut_encoder_equals_the_hidden_states_of_the_whole(tmp_path, layers):
    folder, inputs = tiny_encoder(tmp_path), batch(TEXTS)
    model = AttentionPoolingForSequenceClassification.from_encoder(
        folder, ("neg", "pos"), Architecture(encoder_layers=layers)
    ).eval()
    whole = AutoModel.from_pretrained(folder).eval()
    vectors = model.token_vectors(inputs["input_ids"], inputs["attention_mask"])
    if layers:
        expected = whole(**inputs, output_hidden_states=True).hidden_states[layers]
    else:  # the word-embedding table alone: no positions, no norm
        expected = whole.get_input_embeddings()(inputs["input_ids"])
    assert_close(vectors, expected)
    model.save_pretrained(tmp_path / "model")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert torch.equal(again(**inputs).logits, model(**inputs).logits)


def test_too_many_layers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="between 0 and 3"):
        AttentionPoolingForSequenceClassification.from_encoder(
            tiny_encoder(tmp_path), ("a", "b"), Architecture(encoder_layers=4)
        )


@pytest.mark.parametrize("labels", [("one",), ("same", "same")])
def test_unusable_classes_are_refused(tmp_path, labels):
    with pytest.raises(ValueError, match="class"):
        AttentionPoolingForSequenceClassification.from_encoder(tiny_encoder(tmp_path), labels)


SMALL = {"vocab_size": 27, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 29}
FAMILIES = {
    "roberta": RobertaConfig(**SMALL, max_position_embeddings=66, pad_token_id=0),
    "distilbert": DistilBertConfig(vocab_size=27, dim=16, n_layers=2, n_heads=2, hidden_dim=29, pad_token_id=0),
    "albert": AlbertConfig(**SMALL, embedding_size=8, pad_token_id=0),
    "electra": ElectraConfig(**SMALL, embedding_size=8, pad_token_id=0),
    "modernbert": ModernBertConfig(**SMALL, pad_token_id=0, eos_token_id=3, cls_token_id=2, sep_token_id=3),
    "llama": LlamaConfig(**SMALL, num_key_value_heads=1, pad_token_id=0),
    "gpt2": GPT2Config(vocab_size=27, n_embd=16, n_layer=2, n_head=2, n_positions=64, pad_token_id=0),
    "t5": T5Config(vocab_size=27, d_model=16, d_kv=8, d_ff=29, num_layers=2, num_heads=2, pad_token_id=0),
    "bart": BartConfig(
        vocab_size=27, d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=29, decoder_ffn_dim=29, max_position_embeddings=64, pad_token_id=0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layers", [None, 1, 0])
def test_any_encoder_family_loads_saves_and_ignores_padding(tmp_path, family, layers):
    torch.manual_seed(0)
    folder = tmp_path / "encoder"
    AutoModel.from_config(FAMILIES[family]).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    model = AttentionPoolingForSequenceClassification.from_encoder(
        str(folder), ("a", "b", "c"), Architecture(encoder_layers=layers)
    )
    model.eval().save_pretrained(tmp_path / "model")
    again = AttentionPoolingForSequenceClassification.from_pretrained(tmp_path / "model").double()
    inputs = batch(TEXTS)
    inputs.pop("token_type_ids", None)
    together = again(**inputs).logits
    assert_close(together.float(), model(**inputs).logits, rtol=1e-4, atol=1e-5)
    alone = batch(TEXTS[1:2])
    alone.pop("token_type_ids", None)
    assert_close(again(**alone).logits[0], together[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize(("version", "mend"), [(1, "train the model again"), (99, "upgrade eraserhead")])
def test_another_format_is_refused_in_one_line(tmp_path, version, mend):
    folder = Path(saved_classifier(tmp_path))
    config = (folder / "config.json").read_text()
    assert f'"format_version": {FORMAT_VERSION}' in config
    (folder / "config.json").write_text(config.replace(f'n": {FORMAT_VERSION}', f'n": {version}'))
    line = f"this model was saved in format {version}, and this version of eraserhead reads format 2 alone: {mend}"
    with pytest.raises(ValueError, match=f"^{line}$"):
        AttentionPoolingForSequenceClassification.from_pretrained(folder)
    with pytest.raises(UserError, match=line):
        load_checkpoint(str(folder))


@pytest.mark.parametrize(
    ("name", "hint"),
    [("contxt", "; did you mean 'context'?"), ("vectorsize", "; did you mean 'vector_size'?"), ("x", "")],
)
def test_unknown_settings_are_refused_with_the_nearest(name, hint):
    with pytest.raises(ValueError, match=re.escape(f"no setting '{name}'{hint}") + "$"):
        AttentionPoolingConfig(**{name: "rnn"})


def test_settings_of_every_config_and_what_files_hold_are_taken(tmp_path):
    """A real saved config with what the hub adds to it, and the arguments of `from_pretrained`."""
    folder = Path(saved_classifier(tmp_path))
    content = json.loads((folder / "config.json").read_text())
    more = {"auto_map": {"AutoConfig": "a.B"}, "custom_pipelines": {}, "_commit_hash": "0" * 40, "problem_type": None}
    more |= {"output_attentions": False, "tokenizer_class": "BertTokenizer", "torch_dtype": "float32"}
    (folder / "config.json").write_text(json.dumps({**content, **more}))
    config = AttentionPoolingConfig.from_pretrained(folder, attn_implementation="eager", num_labels=2)
    assert config.architecture == AttentionPoolingConfig(**content).architecture
    assert AttentionPoolingConfig(num_labels=3).num_labels == 3
    assert AutoModelForSequenceClassification.from_pretrained(folder).config.problem_type is None


def test_no_local_path_is_saved(tmp_path):
    saved_classifier(tmp_path)
    assert str(tmp_path) not in (tmp_path / "model" / "config.json").read_text()
    assert AutoTokenizer.from_pretrained(tmp_path / "model").cls_token_id == 2
