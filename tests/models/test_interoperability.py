"""What other tools ask of a model of transformers: embeddings in and out, attention weights, their own trainer."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close
from transformers import Trainer, TrainingArguments

from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.models.architecture import Architecture
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.splits import load_splits
from eraserhead.training.training import train
from tiny import labelled_file, saved_hierarchical, tiny_classifier, tiny_encoder, tiny_tokenizer

TEXTS = ["a fine cast wasted on a script that never wakes up", "good", "it was not bad but dull"]


def batch(texts=TEXTS):
    return tiny_tokenizer()(texts, return_tensors="pt", padding=True, return_token_type_ids=False)


@pytest.fixture
def model(tmp_path):
    return tiny_classifier(tmp_path).eval()


def test_attentions_are_the_pooling_weights_where_they_are_asked_for(model):
    assert model(**batch()).attentions is None
    output = model(**batch(), output_attentions=True)
    (weights,) = output.attentions
    assert torch.equal(weights, output.pooling_weights)
    assert_close(weights.sum(-1), torch.ones(3))
    model.set_attn_implementation("eager")  # without which transformers refuses the option in a configuration
    model.config.output_attentions = True
    assert model(**batch()).attentions is not None
    assert model(**batch(), output_attentions=False).attentions is None
    assert len(model(**batch(), return_dict=False)) == 3  # logits, attentions, pooling weights


def test_a_hierarchical_model_gives_both_levels(tmp_path):
    model = AttentionPoolingForSequenceClassification.from_pretrained(saved_hierarchical(tmp_path)).eval()
    ids = batch()["input_ids"].unsqueeze(0)
    words, sentences = model(input_ids=ids, attention_mask=(ids > 0).long(), output_attentions=True).attentions
    assert_close(words.sum(-1), torch.ones(1, 3))
    assert_close(sentences.sum(-1), torch.ones(1))
    with pytest.raises(ValueError, match="takes input_ids, no inputs_embeds"):
        model(inputs_embeds=torch.zeros(1, 3, 5, 16))


@pytest.mark.parametrize("layers", [0, 2])
def test_embeddings_in_place_of_ids_give_the_same_logits(tmp_path, layers):
    model = AttentionPoolingForSequenceClassification.from_encoder(
        tiny_encoder(tmp_path), ("neg", "pos"), Architecture(encoder_layers=layers)
    ).eval()
    inputs = batch()
    embedded = model.get_input_embeddings()(inputs["input_ids"])
    expected = model(**inputs)
    found = model(**inputs, inputs_embeds=embedded)
    assert_close(found.logits, expected.logits)
    assert_close(found.pooling_weights, expected.pooling_weights)
    other = model(**inputs, inputs_embeds=embedded * 0.5)
    assert not torch.allclose(other.logits, expected.logits)  # the embeddings are what is read
    with pytest.raises(ValueError, match="do not tell which tokens are special"):
        model(inputs_embeds=embedded, attention_mask=inputs["attention_mask"])
    with pytest.raises(ValueError, match="give input_ids or inputs_embeds"):
        model(attention_mask=inputs["attention_mask"])
    with pytest.raises(ValueError, match=r"inputs_embeds is \(2, 13\), and must be \(3, 13\)"):
        model(**inputs, inputs_embeds=embedded[:2])


def test_embeddings_alone_are_enough_where_all_tokens_are_pooled(tmp_path):
    architecture = Architecture(pool_special_tokens=True)
    model = AttentionPoolingForSequenceClassification.from_encoder(
        tiny_encoder(tmp_path), ("neg", "pos"), architecture
    ).eval()
    inputs = batch()
    embedded = model.get_input_embeddings()(inputs["input_ids"])
    found = model(inputs_embeds=embedded, attention_mask=inputs["attention_mask"])
    assert_close(found.logits, model(**inputs).logits)


@pytest.mark.parametrize("layers", [0, 2])
def test_the_embedding_table_can_be_replaced(tmp_path, layers):
    model = AttentionPoolingForSequenceClassification.from_encoder(
        tiny_encoder(tmp_path), ("neg", "pos"), Architecture(encoder_layers=layers)
    ).eval()
    table = model.get_input_embeddings()
    zeros = torch.nn.Embedding(*table.weight.shape)
    torch.nn.init.zeros_(zeros.weight)
    model.set_input_embeddings(zeros)
    assert model.get_input_embeddings() is zeros
    with torch.no_grad():
        first, second = model(**batch(["good bad"])).logits, model(**batch(["dull film"])).logits
    assert torch.equal(first, second)


@pytest.mark.parametrize("layers", [0, 2])
@pytest.mark.parametrize("size", [31, 25])
def test_a_model_with_a_resized_vocabulary_is_saved_and_loads(tmp_path, layers, size):
    """As tools do after they have added tokens: the ids that both have keep their vectors."""
    model = AttentionPoolingForSequenceClassification.from_encoder(
        tiny_encoder(tmp_path / "encoder"), ("neg", "pos"), Architecture(encoder_layers=layers)
    ).eval()
    expected = model(**batch(["good bad"])).logits
    assert model.config.vocab_size == 27
    model.resize_token_embeddings(size)
    model.save_pretrained(tmp_path / "model")
    assert "vocab_size" not in json.loads((tmp_path / "model" / "config.json").read_text())
    loaded = AttentionPoolingForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    assert loaded.get_input_embeddings().weight.shape == (size, 16)
    assert loaded.config.encoder_config.vocab_size == size
    assert_close(loaded(**batch(["good bad"])).logits, expected)
    last = torch.tensor([[2, size - 1, 3]])
    assert torch.equal(loaded(input_ids=last).logits, model(input_ids=last).logits)


def sentence_transformers_folder(folder: Path, transformer: str = "") -> Path:
    """A folder as sentence-transformers writes it, with a pooling layer and a normalisation behind the encoder."""
    tiny_encoder(folder / transformer)
    modules = [("Transformer", transformer), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    (folder / "modules.json").write_text(
        json.dumps(
            [
                {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
                for index, (kind, path) in enumerate(modules)
            ]
        )
    )
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {}, "similarity_fn_name": None}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64, "do_lower_case": False}))
    return folder


def training_on(encoder: Path, output: Path) -> TrainConfig:
    labelled_file(output.with_suffix(".jsonl"), 30)
    return TrainConfig(
        output_dir=str(output),
        data=DataConfig(path=str(output.with_suffix(".jsonl")), max_length=32, train_size=20, validation_size=10),
        model=ModelConfig(encoder=str(encoder)),
        training=TrainingConfig(epochs=1),
        cpu=True,
    )


@pytest.mark.slow
def test_a_model_of_sentence_transformers_is_an_encoder_without_its_own_pooling(tmp_path, caplog):
    """The run's weights are those of a run on the encoder alone, and the log says once what is left out."""
    whole = sentence_transformers_folder(tmp_path / "whole")
    alone = tiny_encoder(tmp_path / "alone")
    with caplog.at_level("INFO", logger="eraserhead"):
        found = train(training_on(whole, tmp_path / "found"))
    assert caplog.text.count(f"{whole}: attention takes the place of its own Pooling, Normalize") == 1
    expected = train(training_on(Path(alone), tmp_path / "expected"))
    one, other = (load_file(folder.path / "model.safetensors") for folder in (found, expected))
    assert all(torch.equal(one[name], other[name]) for name in other)
    assert one.keys() == other.keys()


def test_the_encoders_own_folder_is_named_where_it_has_one(tmp_path):
    """As older releases of sentence-transformers wrote it; the folder of the pooling layer has a config.json, too."""
    folder = sentence_transformers_folder(tmp_path / "older", "0_Transformer")
    with pytest.raises(UserError, match=r"there is one in .*older/0_Transformer: give that folder"):
        train(training_on(folder, tmp_path / "run"))


def test_a_damaged_list_of_modules_is_named(tmp_path):
    folder = sentence_transformers_folder(tmp_path / "damaged")
    (folder / "modules.json").write_text('["Transformer", "Pooling"]')
    with pytest.raises(UserError, match=r"damaged/modules\.json: damaged"):
        train(training_on(folder, tmp_path / "run"))


@pytest.mark.slow
def test_the_trainer_of_transformers_trains_as_our_loop_does(tmp_path):
    """The same documents, rates and optimiser, one step an epoch: the losses before each of four steps are the same."""
    encoder = tiny_encoder(tmp_path / "encoder")
    labelled_file(tmp_path / "train.jsonl", 80)
    config = TrainConfig(
        output_dir=str(tmp_path / "ours"),
        data=DataConfig(path=str(tmp_path / "train.jsonl"), max_length=32, train_size=60, validation_size=20),
        model=ModelConfig(encoder=encoder, dropout=0.0),
        training=TrainingConfig(
            freeze_encoder=False, epochs=4, patience=9, batch_size=60, learning_rate=3e-3, encoder_learning_rate=3e-3,
            warmup=0.0, weight_decay=0.0, clip_norm=0.0,
        ),
        cpu=True,
    )  # fmt: skip
    tiny = {"learning_rate": 1e-12, "encoder_learning_rate": 1e-12, "epochs": 1}
    start = train(
        replace(config, output_dir=str(tmp_path / "start"), training=replace(config.training, **tiny))
    )  # the weights before the first step
    ours = train(config)
    model = AttentionPoolingForSequenceClassification.from_pretrained(start.path)
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "theirs"), num_train_epochs=4, per_device_train_batch_size=60, learning_rate=3e-3,
        weight_decay=0.0, max_grad_norm=0.0, warmup_steps=0, logging_steps=1, report_to=[], use_cpu=True,
        disable_tqdm=True,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=rows_of(ours), processing_class=tiny_tokenizer())
    trainer.train()
    metrics = ours.metrics()
    assert metrics is not None
    losses = [epoch.loss for epoch in metrics.epochs]
    assert losses[-1] < losses[0] - 0.05
    found = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    assert found == pytest.approx(losses, abs=2e-4)


def rows_of(folder) -> list[dict]:
    """The training documents of a run, as the Trainer wants them."""
    documents = load_splits(folder.config())["train"].rows
    assert len(documents) == 60
    return [
        {**tiny_tokenizer()(row["text"], truncation=True, max_length=32, return_token_type_ids=False),
         "labels": row["label"]}
        for row in documents
    ]  # fmt: skip


class Traced(torch.nn.Module):
    """The model as a graph: two tensors in, two out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        output = self.model(input_ids=input_ids, attention_mask=attention_mask)
        return output.logits, output.pooling_weights


@pytest.mark.slow
def test_the_exported_graph_decides_as_the_model_for_any_batch_and_length(model):
    """torch exports it without guards on sizes, which ONNX needs too."""
    inputs = batch()
    free = dict.fromkeys((0, 1), torch.export.Dim.DYNAMIC)
    shapes = {"input_ids": free, "attention_mask": free}
    program = torch.export.export(Traced(model), (), dict(inputs), dynamic_shapes=shapes).module()
    for texts in (TEXTS, ["the film"], ["bad", "a very good script and a fine film", "not", "it was"]):
        expected = model(**batch(texts))
        logits, weights = program(**batch(texts))
        assert_close(logits, expected.logits)
        assert_close(weights, expected.pooling_weights)
