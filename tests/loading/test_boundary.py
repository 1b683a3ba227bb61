"""Folders that hold something else than a model's plain files: one line that names the file and the field, at once."""

import json
import os
import pickle
import struct
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    CanineConfig,
    CanineModel,
    CanineTokenizer,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
)

from eraserhead import erase
from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.loading.boundary import load
from eraserhead.loading.checkpoints import load_checkpoint, load_tokenizer
from eraserhead.loading.fingerprints import weights_fingerprint
from eraserhead.loading.model_config import read_config
from eraserhead.remote.downloads import locate_model
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.new_classifier import new_classifier
from eraserhead.training.training import train
from tiny import SPECIAL, WORDS, labelled_file, random_texts, tiny_encoder, tiny_tokenizer, with_own_code

WEIGHTS, BIN, INDEX = "model.safetensors", "pytorch_model.bin", "model.safetensors.index.json"
SECONDS = 5  # of processor time, within which every folder is refused


@pytest.fixture
def folder(tmp_path) -> Path:
    """A tiny BERT that tells two classes apart."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=29,
        max_position_embeddings=64,
        id2label={0: "neg", 1: "pos"},
        label2id={"neg": 0, "pos": 1},
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def configured(folder: Path, **changes) -> None:
    changed(folder / "config.json", **changes)


def changed(file: Path, **changes) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def rewritten(folder: Path, rename=lambda key: key, without: str = "/", **more: torch.Tensor) -> None:
    """Save the weights again under other names, without some, and with more."""
    weights = {rename(key): tensor for key, tensor in load_file(folder / WEIGHTS).items() if without not in key}
    save_file(weights | more, folder / WEIGHTS, metadata={"format": "pt"})


def pickled(folder: Path, content, **options) -> None:
    (folder / WEIGHTS).unlink()
    torch.save(content, folder / BIN, **options)


def as_classifier(folder: Path) -> None:
    load_checkpoint(str(folder))


def as_encoder(folder: Path) -> None:
    new_classifier(ModelConfig(encoder=str(folder)), locate_model(str(folder)), ("a", "b"))


def refused(folder: Path, match: str, use=as_classifier) -> None:
    started = time.process_time()
    with pytest.raises(UserError, match=match) as error:
        use(folder)
    assert time.process_time() - started < SECONDS
    assert "\n" not in str(error.value)


BOTH = pytest.mark.parametrize("use", [as_classifier, as_encoder])
KERNEL = "asks for the kernel 'some/kernel' from the hub"


@BOTH
@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"num_hidden_layers": "2"}, r"config\.json has a wrong value for num_hidden_layers: expected int, got str"),
        ({"num_hidden_layers": None}, "wrong value for num_hidden_layers"),
        ({"num_hidden_layers": 10**7}, "num_hidden_layers is 10000000, and the weights are 41 tensors"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0, and must be 1 or more"),
        ({"hidden_size": -16}, "hidden_size is -16, and must be 1 or more"),
        ({"vocab_size": 0}, "vocab_size is 0, and must be 1 or more"),
        ({"max_position_embeddings": -1}, "max_position_embeddings is -1, and must be 1 or more"),
        ({"vocab_size": 10**12}, r"word_embeddings\.weight' has the size 27 x 16 in .*, and 10{12} x 16"),
        ({"hidden_size": 32}, r"has the size 16 in model\.safetensors, and 32 by config\.json"),
        ({"num_attention_heads": 3}, r"config\.json cannot be loaded.*not a multiple of the number of attention heads"),
        ({"hidden_act": "swosh"}, "hidden_act is 'swosh'"),
        ({"pad_token_id": 99}, "pad_token_id is 99, and vocab_size is 27"),
        ({"model_type": None}, "names no model_type"),
        ({"model_type": ["bert"]}, r"model_type \['bert'\] is not one that transformers knows"),
        ({"attn_implementation": "some/kernel"}, KERNEL),
        ({"_attn_implementation": {"": "some/kernel"}}, KERNEL),
        ({"text_config": {"_attn_implementation": "some/kernel"}}, KERNEL),
        ({"quantization_config": {"quant_method": "gptq"}}, r"the weights are quantised \(gptq\)"),
        ({"text_config": {"a": 1}}, r"text_config is \{'a': 1\}, and a 'bert' has no such part"),
        ({"use_return_dict": False}, "use_return_dict is no field of a config"),
        ({"to_dict": 3}, "to_dict is no field of a config"),
        ({"rope_scaling": "x"}, "rope_scaling is 'x', and must be a mapping"),
        ({"classifier_dropout": 1.5}, "classifier_dropout is 1.5, and must be a probability"),
        ({"add_cross_attention": True}, r"\(BertLayer should be used as a decoder model if cross attention is added\)"),
        ({"transformers_weights": "../other.safetensors"}, "transformers_weights is not followed"),
        ({"auto_map": {"AutoModelForSequenceClassification": "own.Own"}},
         r"code from its repository for the model_type 'bert' \(own\.Own\).*trust_remote_code=True"),
    ],
)  # fmt: skip
def test_a_config_that_describes_no_model_of_these_weights_is_refused_by_its_field(folder, use, changes, match):
    configured(folder, **changes)
    refused(folder, match, use)


def test_code_for_a_type_that_transformers_knows_runs_where_it_may(tmp_path):
    folder = with_own_code(Path(tiny_encoder(tmp_path / "own")))
    found = load_checkpoint(folder, trust_remote_code=True)
    theirs = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)
    inputs = tiny_tokenizer()(random_texts(7), return_tensors="pt", padding=True)
    with torch.no_grad():
        assert torch.equal(found.model(**inputs).logits, theirs(**inputs).logits)
    assert found.runs_own_code
    found = erase(folder, random_texts(3), cpu=True, draws=1, site="layer:-1", trust_remote_code=True)
    assert found.summary.setup.model.own_code


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"id2label": {"1": "neg", "2": "pos"}}, "class names for 1, 2; the head has rows 0, 1"),
        ({"id2label": {"0": "neg", "2": "pos"}}, "class names for 0, 2; the head has rows 0, 1"),
        ({"id2label": {"neg": 0, "pos": 1}}, "class names for neg, pos"),
        ({"id2label": {"0": "a", "1": "a"}}, "calls both 0 and 1 'a'"),
        ({"id2label": {"0": 1, "1": "1"}}, "calls both 0 and 1 '1'"),
        ({"id2label": {"0": ["a"], "1": "b"}}, r"name of class 0 is \['a'\]"),
        ({"id2label": "neg, pos"}, "id2label is 'neg, pos'"),
        ({"label2id": {"neg": 1, "pos": 0}}, "'neg' is class 0 in id2label and class 1 in label2id"),
        ({"num_labels": 3}, "num_labels is 3, and id2label names 2"),
        ({"num_labels": 10**9, "id2label": None}, "num_labels is 1000000000, and must be"),
        ({"id2label": dict.fromkeys("012"), "label2id": None},
         r"names 3 classes \(LABEL_0, LABEL_1, LABEL_2\), and the head has 2 rows"),
        ({"problem_type": "several"}, "problem_type is 'several', and must be one of"),
    ],
)  # fmt: skip
def test_class_names_are_for_the_rows_of_the_head(folder, changes, match):
    configured(folder, **changes)
    refused(folder, match)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"0": 0, "1": 1}, ("0", "1")),
        ({"0": None, "1": None}, ("LABEL_0", "LABEL_1")),
        ({"1": True, "0": 0.5}, ("0.5", "True")),
        (["neg", "pos"], ("neg", "pos")),
        (None, ("LABEL_0", "LABEL_1")),
    ],
)
def test_class_names_are_texts_in_the_order_of_the_head(folder, given, names):
    configured(folder, id2label=given, label2id=None)
    checkpoint = load_checkpoint(str(folder))
    assert checkpoint.class_names == names
    assert checkpoint.model.config.label2id == {name: index for index, name in enumerate(checkpoint.class_names)}


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        ({"0": "neg", "1": "pos"}, {}),
        ({"0": "neg", "1": "pos"}, {"LABEL_0": 0, "LABEL_1": 1}),
        ({"0": "neg", "1": "pos"}, {"0": 0, "1": 1}),
        ({"0": "neg", "1": "pos"}, {"pos": "1"}),
        ({"0": "LABEL_0", "1": "LABEL_1"}, {"neg": 0, "pos": 1}),
        ({"0": 0, "1": 1}, {"neg": 0, "pos": 1}),
    ],
)
def test_defaults_and_numbers_contradict_no_names(folder, names, numbers):
    configured(folder, id2label=names, label2id=numbers)
    assert read_config(str(folder), "it", classifier=True).id2label == {int(row): str(names[row]) for row in names}


def test_names_of_classes_do_not_matter_to_an_encoder(folder):
    configured(folder, id2label={"neg": 1}, num_labels=7)
    as_encoder(folder)


@BOTH
def test_what_loading_sets_itself_may_say_anything(folder, use):
    implementations = {"attn_implementation": "flash_attention_2", "_attn_implementation": "flash_attention_3"}
    outputs = {"return_dict": False, "output_attentions": True, "output_hidden_states": True}
    configured(
        folder, quantization_config={}, **implementations, **outputs, torch_dtype="nonsense", chunk_size_feed_forward=3
    )
    use(folder)
    if use is as_classifier:
        result = erase(str(folder), random_texts(3), draws=1, cpu=True)
        assert (result.flips["ranking"] == "attention").sum() == 3


@BOTH
def test_the_size_of_a_block_is_no_number_of_blocks(folder, use):
    configured(folder, block_size=4096)
    use(folder)


def content_of(name: str, content: bytes):
    return lambda folder: (folder / name).write_bytes(content)


def in_place_of(name: str, target: str):
    def spoil(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return spoil


def with_pipe(folder: Path) -> None:
    os.mkfifo(folder / "added_tokens.json")


def as_directory(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()


HUGE = json.dumps({"classifier.weight": {"dtype": "F32", "shape": [10**12, 16], "data_offsets": [0, 64 * 10**12]}})


@BOTH
@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (content_of("config.json", b"[1]"), r"config\.json: damaged \(no mapping"),
        (content_of("config.json", b""), r"config\.json: damaged"),
        (content_of("config.json", b'{"a": "\xff"}'), r"config\.json: damaged \('utf-8'"),
        (content_of("config.json", b'{"layer_norm_eps": NaN}'), r"config\.json: damaged \(it holds NaN"),
        (content_of("config.json", b'{"a":' * 10_000), r"config\.json: damaged \(it is nested too deeply"),
        (in_place_of("config.json", "/dev/zero"), r"config\.json is no regular file"),
        (in_place_of("config.json", "config.json"), r"config\.json is no regular file"),
        (as_directory, r"config\.json is no regular file"),
        (in_place_of("tokenizer.json", "/dev/zero"), r"tokenizer\.json is no regular file"),
        (with_pipe, r"added_tokens\.json is no regular file"),
        (in_place_of(WEIGHTS, WEIGHTS), "no weights"),
        (content_of(WEIGHTS, b""), r"model\.safetensors cannot be loaded"),
        (content_of(WEIGHTS, struct.pack("<Q", 2**60)), r"model\.safetensors cannot be loaded"),
        (content_of(WEIGHTS, struct.pack("<Q", len(HUGE)) + HUGE.encode()), r"model\.safetensors cannot be loaded"),
        (content_of(WEIGHTS, b"version https://git-lfs.github.com/spec/v1\n"), "a pointer of Git LFS"),
        (content_of("tokenizer.json", b'{"version"'), r"/tokenizer\.json: damaged"),
        (content_of("added_tokens.json", b""), r"/added_tokens\.json: damaged"),
        (content_of("special_tokens_map.json", b"[1]"), r"/special_tokens_map\.json: damaged \(no mapping"),
        (
            content_of("tokenizer_config.json", b"\xef\xbb\xbf{}"),
            r"/tokenizer_config\.json: damaged \(Unexpected",
        ),
    ],
)
def test_files_that_are_damaged_or_endless_are_named(folder, use, spoil, match):
    spoil(folder)
    refused(folder, match, use)


@pytest.mark.parametrize(
    ("longest", "match"), [("512", "'512'"), (-1, "-1"), (0, "0"), (True, "True"), ([1], r"\[1\]")]
)
def test_a_tokenizers_limit_is_a_number(folder, longest, match):
    changed(folder / "tokenizer_config.json", model_max_length=longest)
    refused(folder, f"tokenizer_config.json: model_max_length is {match}, and must be a number")


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("padding_side", None, "None, and must be one of left, right"),
        ("tokenizer_class", 3, "3, and must be the name of a class"),
        ("model_input_names", 3, "3, and must be a list of names"),
        ("pad_token", {"x": 1}, r"\{'x': 1\}, and must be a text"),
        ("extra_special_tokens", 3, "3, and must be a list of tokens"),
        ("added_tokens_decoder", {"x": {"content": "a"}}, r"\{'x': .*, and must be a mapping of ids to tokens"),
    ],
)
def test_a_field_of_a_tokenizer_that_cannot_be_is_named(folder, field, value, match):
    changed(folder / "tokenizer_config.json", **{field: value})
    with pytest.raises(UserError, match=rf"tokenizer_config\.json: {field} is {match}"):
        load_tokenizer(str(folder))


def test_a_damaged_model_of_sentencepiece_is_named(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "DebertaV2Tokenizer"}')
    (folder / "spm.model").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"spm\.model: damaged \(no model of SentencePiece"):
        load_tokenizer(str(folder))


def test_a_tokenizer_with_a_negative_id_is_refused(folder):
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["vocab"]["film"] = -1
    (folder / "tokenizer.json").write_text(json.dumps(content))
    refused(folder, r"the tokenizer \(tokenizer\.json\) cannot be loaded from this folder \(invalid value: .*-1")


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
def test_a_model_without_its_tokenizer_is_told_so(folder, file):
    (folder / "tokenizer.json").unlink()
    (folder / file).unlink(missing_ok=True)
    refused(folder, "has no tokenizer")


@BOTH
@pytest.mark.parametrize(
    ("content", "match"),
    [
        (
            {"metadata": {}, "weight_map": {"a": "../../x.safetensors"}},
            r"json: names '\.\./\.\./x\.safetensors'",
        ),
        (
            {"metadata": {}, "weight_map": {"a": "x.safetensors"}},
            r"json: names x\.safetensors, which is missing",
        ),
        (
            {"metadata": {}, "weight_map": {"a": "config.json"}},
            r"json: names 'config\.json', which is no file of weights",
        ),
        ({"metadata": {}, "weight_map": {}}, r"index\.json: damaged \(no weight_map"),
        ({"weight_map": {"a": WEIGHTS}}, r"index\.json: damaged \(no weight_map or metadata"),
    ],
)
def test_an_index_of_weights_names_files_beside_it(folder, use, content, match):
    (folder / WEIGHTS).rename(folder / "part.safetensors")
    (folder / INDEX).write_text(json.dumps(content))
    refused(folder, match, use)


@pytest.mark.parametrize(
    ("file", "match"),
    [
        ("tf_model.h5", r"tf_model\.h5 is weights for TensorFlow.*from_tf=True"),
        ("flax_model.msgpack", r"flax_model\.msgpack is weights for Flax"),
        ("onnx/model.onnx", r"model\.onnx is an ONNX graph.*PyTorch checkpoint"),
        ("model.Q4.gguf", r"model\.Q4\.gguf is quantised weights"),
        ("model.pt", r"model\.pt is a pickle.*save_pretrained"),
        ("model.fp16.safetensors", r"model\.fp16\.safetensors is weights under a name.*rename"),
        ("training_args.bin", "save the model again there"),
    ],
)
def test_weights_in_other_formats_are_named_with_what_to_do(folder, file, match):
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / WEIGHTS).rename(folder / file)
    refused(folder, rf"no weights \(model\.safetensors or pytorch_model\.bin\) in it; .*{match}")


def test_an_adapter_is_named_with_its_base(folder):
    (folder / "config.json").unlink()
    (folder / WEIGHTS).rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "some/base"}')
    refused(folder, r"an adapter \(LORA for some/base\), not a model: merge the two with peft", as_encoder)
    (folder / "adapter_model.safetensors").rename(folder / WEIGHTS)  # of a whole model: it is unclear what is meant
    (folder / "config.json").write_text('{"model_type": "bert"}')
    refused(folder, r"an adapter \(LORA for some/base\), not a model: merge the two with peft", as_classifier)


def test_setfits_head_is_named_and_its_encoder_can_be_used(folder):
    (folder / "model_head.pkl").write_bytes(b"anything")
    refused(folder, r"model_head\.pkl is a SetFit model.*on its encoder: `train\(model=\{'encoder'")
    as_encoder(folder)


def test_the_folder_of_a_model_inside_another_one_is_named(folder):
    (folder / "checkpoint-500").mkdir()
    for name in ("config.json", WEIGHTS):
        (folder / name).rename(folder / "checkpoint-500" / name)
    refused(folder, r"no config\.json in it\); there is one in .*checkpoint-500: give that folder")


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
def test_pickled_weights_are_read_as_tensors_alone(folder, caplog, options):
    caplog.set_level("INFO", "eraserhead")
    before = load_checkpoint(str(folder))
    expected = weights_fingerprint(before.model)
    assert not before.pickled
    pickled(folder, load_file(folder / WEIGHTS), **options)
    checkpoint = load_checkpoint(str(folder))
    assert weights_fingerprint(checkpoint.model) == expected
    assert checkpoint.pickled
    assert "pytorch_model.bin is read by torch.load(weights_only=True)" in caplog.text
    as_encoder(folder)


def test_pickled_weights_in_several_files_are_read(folder):
    weights = load_file(folder / WEIGHTS)
    expected = weights_fingerprint(load_checkpoint(str(folder)).model)
    (folder / WEIGHTS).unlink()
    places = {key: f"pytorch_model-0000{1 + row % 2}-of-00002.bin" for row, key in enumerate(weights)}
    for name in set(places.values()):
        torch.save({key: weights[key] for key in weights if places[key] == name}, folder / name)
    (folder / f"{BIN}.index.json").write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    assert weights_fingerprint(load_checkpoint(str(folder)).model) == expected


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


@BOTH
def test_pickles_that_hold_more_than_tensors_are_refused_and_run_nothing(folder, tmp_path, use):
    weights, trace = load_file(folder / WEIGHTS), tmp_path / "trace"
    pickle.loads(pickle.dumps(Runs(tmp_path / "control")))
    assert (tmp_path / "control").is_dir()
    pickled(folder, {**weights, "more": Runs(trace)})
    refused(folder, r"refused by torch\.load\(weights_only=True\) \(it asks for posix\.mkdir\)", use)
    (folder / BIN).write_bytes(pickle.dumps(Runs(trace)))
    refused(folder, r"refused by torch\.load\(weights_only=True\)", use)
    assert not trace.exists()
    torch.save({"state_dict": weights, "epoch": 3}, folder / BIN)
    refused(folder, r"pytorch_model\.bin holds its weights inside 'state_dict': save them alone, torch\.save", use)
    torch.save([torch.ones(2)], folder / BIN)
    refused(folder, r"pytorch_model\.bin holds a list", use)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module.model."])
def test_names_that_a_wrapper_made_longer_are_cut(folder, caplog, prefix):
    caplog.set_level("INFO", "eraserhead")
    expected = weights_fingerprint(load_checkpoint(str(folder)).model)
    rewritten(folder, lambda key: prefix + key)
    assert weights_fingerprint(load_checkpoint(str(folder)).model) == expected
    assert f"the names of its weights start with '{prefix}', which is left out" in caplog.text
    as_encoder(folder)


def test_names_of_another_class_of_model_are_said_to_be_that(folder):
    rewritten(folder, lambda key: "own." + key.replace("encoder.layer", "blocks"))
    refused(folder, "names of another class of model .'own.bert.blocks")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("classifier.bias", "'classifier.bias' of its classification head is missing: the file is incomplete"),
        ("classifier", "has no classification head"),
    ],
)
def test_a_part_of_a_head_that_is_missing_is_told_from_the_whole(folder, key, why):
    rewritten(folder, without=key)
    refused(folder, why)


def test_logits_that_are_no_numbers_or_do_not_depend_on_the_text_are_said_to_be_that(folder):
    head = load_file(folder / WEIGHTS)["classifier.weight"]
    rewritten(folder, without="classifier.weight", **{"classifier.weight": torch.zeros_like(head)})
    with pytest.raises(UserError, match="logits of this 'bert' model do not depend on the text"):
        erase(folder, random_texts(3), cpu=True)
    configured(folder, layer_norm_eps=-5.0)
    with pytest.raises(UserError, match="logits of this 'bert' model are NaN or infinite, whatever it reads"):
        erase(folder, random_texts(3), cpu=True)


def test_a_weight_that_is_a_number_is_refused_by_name(folder):
    rewritten(folder, without="classifier.bias", **{"classifier.bias": torch.tensor(1.0)})
    refused(folder, r"'classifier\.bias' has the size 1 \(a number, and no vector\) in model\.safetensors, and 2 by")


def test_old_names_of_norms_are_known(folder):
    expected = weights_fingerprint(load_checkpoint(str(folder)).model)
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    rewritten(folder, lambda key: next((key.replace(new, name) for new, name in old.items() if new in key), key))
    assert weights_fingerprint(load_checkpoint(str(folder)).model) == expected


@BOTH
@pytest.mark.parametrize(
    "name",
    [
        "bert.encoder.layer.0.attention.self.distance_embedding.weight",
        "bert.encoder.layer.0.output.adapter.down.weight",
        "bert.encoder.layer.2.output.dense.weight",
    ],
)
def test_weights_that_the_model_does_not_take_are_refused(folder, use, name):
    rewritten(folder, **{name: torch.ones(3, 5)})
    refused(folder, f"its weights contain '{name}'", use)


def test_weights_that_no_decision_depends_on_are_named_and_kept_on_the_checkpoint(folder, caplog):
    caplog.set_level("INFO", "eraserhead")
    left = ("bert.embeddings.position_ids", "cls.predictions.bias", "cls.seq_relationship.weight", "loss_fct.weight")
    rewritten(folder, **{key: torch.ones(2) for key in left})
    unexpected = load_checkpoint(str(folder)).unexpected
    assert set(left[1:]) <= set(unexpected) <= set(left)
    assert "weights that decisions do not depend on are left out" in caplog.text


@BOTH
def test_missing_weights_are_refused(folder, use):
    rewritten(folder, without="layer.1.")
    refused(folder, "weights (of the encoder )?are missing", use)


def test_quantised_weights_are_refused_by_their_type(folder):
    weights = {key: (100 * tensor).to(torch.int8) for key, tensor in load_file(folder / WEIGHTS).items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    refused(folder, "is stored in model.safetensors as I8: the weights are quantised")


def test_layers_that_are_cut_off_are_not_weights_of_another_model(tmp_path):
    encoder = tiny_encoder(tmp_path / "encoder")
    model = new_classifier(ModelConfig(encoder=encoder, encoder_layers=1), locate_model(encoder), ("a", "b"))
    assert model.config.encoder_config.num_hidden_layers == 1


@pytest.mark.parametrize("panic", [ZeroDivisionError(), IndexError("3"), BaseException("panicked"), RecursionError()])
def test_whatever_loading_raises_becomes_one_line(panic):
    def make() -> None:
        raise panic

    with pytest.raises(UserError, match=r"^some/model: a\.json cannot be loaded from what the hub has"):
        load("some/model", make, "a.json")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, MemoryError, torch.OutOfMemoryError, UserError])
def test_what_is_no_fault_of_a_file_passes(kind):
    def make() -> None:
        raise kind

    with pytest.raises(kind):
        load("some/model", make)


def test_a_tokenizer_of_sentencepiece_is_read_from_its_model_alone(tmp_path):
    import sentencepiece

    words = [" ".join(random_texts(1, seed)) for seed in range(200)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words), model_prefix=str(tmp_path / "spm"), vocab_size=43, model_type="unigram",
        pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]",
        unk_piece="[UNK]", minloglevel=2,
    )  # fmt: skip
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 29}
    relative = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
    config = DebertaV2Config(vocab_size=47, type_vocab_size=0, **sizes, **relative)
    DebertaV2ForSequenceClassification(config).save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false, "vocab_type": "spm"}')
    tokenizer = load_checkpoint(str(tmp_path)).tokenizer
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "spm.model"))
    assert tokenizer("a fine cast", add_special_tokens=False)["input_ids"] == pieces.encode("a fine cast")


def test_names_of_an_earlier_task_are_said(folder, caplog):
    configured(folder, label2id={"a": 0, "b": 1})
    with caplog.at_level("INFO", "eraserhead"):
        assert load_checkpoint(str(folder)).class_names == ("neg", "pos")
    assert "label2id names a, b; the classes are those of id2label: neg, pos" in caplog.text


@pytest.mark.slow
def test_an_encoder_without_a_table_of_embeddings_is_trained_and_erased(tmp_path, monkeypatch):
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    config = CanineConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=29,
                          num_hash_functions=2, num_hash_buckets=97, local_transformer_stride=16,
                          max_position_embeddings=512)  # fmt: skip
    CanineModel(config).save_pretrained(tmp_path / "encoder")
    CanineTokenizer(model_max_length=128).save_pretrained(tmp_path / "encoder")
    data = DataConfig(path=labelled_file(tmp_path / "train.jsonl", 40), max_length=64, validation_size=10)
    model, settings = ModelConfig(encoder=str(tmp_path / "encoder")), TrainingConfig(epochs=1)
    run = train(TrainConfig(output_dir=str(tmp_path / "run"), data=data, model=model, training=settings, cpu=True))
    result = erase(str(run.path), random_texts(3), draws=1, cpu=True)
    assert (result.flips["ranking"] == "attention").sum() == 3


@pytest.mark.parametrize("kind", ["pickled", "prefixed"])
def test_what_is_published_is_safetensors_under_the_models_own_names(folder, kind):
    expected = sorted(load_file(folder / WEIGHTS))
    if kind == "pickled":
        pickled(folder, load_file(folder / WEIGHTS))
    else:
        rewritten(folder, lambda key: f"module.{key}")
    fingerprint = weights_fingerprint(load_checkpoint(str(folder)).model)
    assert main(["push", str(folder), "user/model", "--dry_run"]) == 0
    published = folder / "hub"
    assert not (published / BIN).exists()
    assert sorted(load_file(published / WEIGHTS)) == expected
    assert weights_fingerprint(load_checkpoint(str(published)).model) == fingerprint


@pytest.mark.slow
def test_options_nested_too_deeply_and_paths_with_a_nul_are_one_line(folder, tmp_path, capsys):
    (tmp_path / "deep.yaml").write_text("a: " + "[" * 10_000)
    data = labelled_file(tmp_path / "data.jsonl", 3)
    output = ["--output_dir", str(tmp_path / "results")]
    cases = {
        "deep.yaml: is not YAML (nested too deeply)": [
            "erase",
            str(folder),
            "--config",
            str(tmp_path / "deep.yaml"),
            *output,
        ],
        "neither a folder here nor a valid hub id": ["explain", "a\0b", "text", "--cpu"],
        "no path holds a NUL": ["erase", str(folder), "--data.path", data, "--cpu", "--output_dir", "a\0b"],
        "--data.path /dev/zero": ["erase", str(folder), "--data.path", "/dev/zero", "--cpu", *output],
    }
    for said, arguments in cases.items():
        assert main(arguments) == 2
        assert said in capsys.readouterr().err.strip().splitlines()[-1]
