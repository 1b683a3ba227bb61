"""Whether checkpoints of the shapes that hubs hold are erased, explained and published from the command line.

    python tests/benchmarks/hub_like.py [NAME...]

Each is a tiny random model: what is after a real checkpoint is its family, its configuration, how its weights and its
tokenizer are stored, and how many it decides among. Prints one line for each command that failed, and a table; ends
with exit code 1 where one failed.
"""

import contextlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

sys.path.insert(0, str(Path(__file__).parents[1]))

from eraserhead.cli.main import main
from families import new_model
from tiny import WORDS, random_texts

WEIGHTS = "model.safetensors"
TEXTS = 11
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Shape:
    """What is particular to a checkpoint.

    Attributes:
        family: Its family in the tests' table.
        config: Changes of its configuration before it is built.
        saved: Changes of ``config.json`` afterwards.
        weights: What is done to its weights.
        store: How the weights are stored in the folder.
        tokenizer: Changes of the tokenizer: `pad`, `left`, `frame`, `limit`.
        options: What ``erase`` and ``explain`` are told beside the data.
    """

    family: str
    config: dict = field(default_factory=dict)
    saved: dict = field(default_factory=dict)
    weights: Callable[[Weights], Weights] = lambda weights: weights
    store: str = "safetensors"
    tokenizer: dict = field(default_factory=dict)
    options: Sequence[str] = ()


def half(weights: Weights) -> Weights:
    return {key: value.half() for key, value in weights.items()}


def bfloat(weights: Weights) -> Weights:
    return {key: value.bfloat16() for key, value in weights.items()}


def old_norms(weights: Weights) -> Weights:
    """Names as TensorFlow's checkpoints of BERT had them."""
    return {
        key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for key, value in weights.items()
    }


def of_a_wrapper(weights: Weights) -> Weights:
    return {f"module.{key}": value for key, value in weights.items()}


def with_position_ids(weights: Weights) -> Weights:
    return weights | {"roberta.embeddings.position_ids": torch.arange(41)[None]}


def with_pooler(weights: Weights) -> Weights:
    dense = next(value for value in weights.values() if value.shape == (24, 24))
    return weights | {"roberta.pooler.dense.weight": dense.clone(), "roberta.pooler.dense.bias": torch.zeros(24)}


def with_language_model(weights: Weights) -> Weights:
    return weights | {"lm_head.bias": torch.zeros(53)}


def names(*labels: str) -> dict:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}


def numbered(labels: int) -> dict:
    return names(*(f"LABEL_{number}" for number in range(labels)))


ROBERTA = {"pad": 1}
TWO, THREE, STARS = names("NEGATIVE", "POSITIVE"), names("contradiction", "neutral", "entailment"), numbered(5)
MULTI = {"problem_type": "multi_label_classification"}
ONE = {"num_labels": 1}
DECIDES = ("--threshold", "0.5")
DECODER = {"frame": False, "left": True}
NO_PAD = {"frame": False, "pad": None}

SHAPES: dict[str, Shape] = {
    "distilbert, two sentiments": Shape("distilbert", TWO),
    "distilbert, half precision": Shape("distilbert", TWO, weights=half, saved={"dtype": "float16"}),
    "bert, five stars, gamma and beta": Shape("bert", STARS, weights=old_norms),
    "bert, pickled": Shape("bert", TWO, store="pickle"),
    "bert, sharded": Shape("bert", TWO, store="shards"),
    "bert, sharded pickles": Shape("bert", TWO, store="pickled shards"),
    "bert, saved from a wrapper": Shape("bert", TWO, weights=of_a_wrapper),
    "bert, toxicity of six kinds": Shape("bert", {**numbered(6), **MULTI}),
    "bert, six labels above .3": Shape("bert", {**numbered(6), **MULTI}, options=("--threshold", "0.3")),
    "bert, cross-encoder": Shape("bert", ONE, options=DECIDES),
    "bert, cross-encoder without padding": Shape("bert", ONE, tokenizer={"pad": None}, options=DECIDES),
    "bert, class names are integers": Shape("bert", saved={"id2label": {n: n for n in range(7)}, "label2id": {}}),
    "bert, as a trainer leaves it": Shape("bert", TWO, saved={"problem_type": "single_label_classification",
                                                             "_name_or_path": "AutoTrain", "max_length": 64}),
    "bert, flash attention": Shape("bert", TWO, saved={"attn_implementation": "flash_attention_2"}),
    "bert, attention and hidden states as outputs": Shape("bert", TWO, saved={"output_attentions": True,
                                                                             "output_hidden_states": True}),
    "bert, tuples as outputs": Shape("bert", TWO, saved={"return_dict": False}),
    "bert, tokenizer without a limit": Shape("bert", TWO, tokenizer={"limit": int(1e30)}),
    "bert, one layer": Shape("bert", {**TWO, "num_hidden_layers": 1}),
    "bert, more rows than ids": Shape("bert", {**TWO, "vocab_size": 64}),
    "bert, a hundred and fifty intents": Shape("bert", numbered(150)),
    "roberta, position ids in the file": Shape("roberta", THREE, weights=with_position_ids, tokenizer=ROBERTA),
    "roberta, a pooler left over": Shape("roberta", THREE, weights=with_pooler, tokenizer=ROBERTA),
    "roberta, emotions": Shape("roberta", {**numbered(28), **MULTI}, tokenizer=ROBERTA),
    "roberta, pickled with a language model's bias": Shape("roberta", TWO, weights=with_language_model, store="pickle",
                                                           tokenizer=ROBERTA),
    "xlm-roberta, 8194 positions": Shape("xlm-roberta", {**ONE, "max_position_embeddings": 8194},
                                         tokenizer={**ROBERTA, "limit": 8192}, options=DECIDES),
    "xlm-roberta, twenty languages": Shape("xlm-roberta", numbered(20), tokenizer=ROBERTA),
    "xlm-roberta, bfloat16": Shape("xlm-roberta", THREE, weights=bfloat, saved={"dtype": "bfloat16"},
                                   tokenizer=ROBERTA),
    "xlm-roberta-xl": Shape("xlm-roberta-xl", TWO, tokenizer=ROBERTA),
    "camembert": Shape("camembert", STARS, tokenizer=ROBERTA),
    "albert": Shape("albert", TWO),
    "electra": Shape("electra", TWO),
    "mpnet": Shape("mpnet", TWO, tokenizer=ROBERTA),
    "deberta, inference": Shape("deberta", THREE),
    "deberta-v3": Shape("deberta-v2, as v3", THREE),
    "deberta-v3, with a convolution": Shape("deberta-v2, as v3 with a convolution", THREE),
    "modernbert": Shape("modernbert", TWO),
    "modernbert, mean": Shape("modernbert, mean", TWO),
    "eurobert": Shape("eurobert", TWO),
    "nomic_bert": Shape("nomic_bert", TWO),
    "ernie": Shape("ernie", TWO),
    "rembert": Shape("rembert", TWO),
    "megatron-bert": Shape("megatron-bert", TWO),
    "esm, of proteins": Shape("esm, rotary", TWO, tokenizer=ROBERTA),
    "big_bird": Shape("big_bird", TWO),
    "convbert": Shape("convbert", TWO),
    "mobilebert": Shape("mobilebert", TWO),
    "squeezebert": Shape("squeezebert", TWO),
    "xlnet, padding left": Shape("xlnet", TWO, tokenizer={"left": True}),
    "layoutlm": Shape("layoutlm", TWO),
    "data2vec-text": Shape("data2vec-text", TWO, tokenizer=ROBERTA),
    "gpt2, no padding token": Shape("gpt2", TWO, saved={"pad_token_id": None}, tokenizer=NO_PAD),
    "gpt2, padded with its end of text": Shape("gpt2, padded with its end of text", TWO,
                                               tokenizer={"frame": False, "pad": 3}),
    "gpt_neox": Shape("gpt_neox", TWO, tokenizer=DECODER),
    "gpt_neo": Shape("gpt_neo", TWO, tokenizer=DECODER),
    "opt": Shape("opt", TWO, tokenizer=DECODER),
    "bloom": Shape("bloom", TWO, tokenizer=DECODER),
    "llama, a reward": Shape("llama", ONE, tokenizer=DECODER, options=("--threshold", "0", "--threshold_on", "logit")),
    "llama, no padding token": Shape("llama", TWO, saved={"pad_token_id": None}, tokenizer=NO_PAD),
    "mistral, in windows": Shape("mistral, in windows", TWO, tokenizer=DECODER),
    "qwen2": Shape("qwen2", TWO, tokenizer=DECODER),
    "qwen3, bfloat16 in shards": Shape("qwen3", {**TWO, "tie_word_embeddings": True}, weights=bfloat, store="shards",
                                       saved={"dtype": "bfloat16"}, tokenizer=DECODER),
    "gemma2": Shape("gemma2", TWO, tokenizer=DECODER),
    "phi3": Shape("phi3", TWO, tokenizer=DECODER),
    "bart, inference without examples": Shape("bart", THREE),
    "mbart": Shape("mbart", TWO),
    "t5": Shape("t5", TWO),
}  # fmt: skip


def tokenizer(
    pad: int | None = 0, *, left: bool = False, frame: bool = True, limit: int = 41
) -> PreTrainedTokenizerFast:
    """Whitespace words with the special tokens at the ids that the tests' models have them at."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] if pad != 1 else ["[UNK]", "[PAD]", "[CLS]", "[SEP]"]
    vocabulary = {token: number for number, token in enumerate([*special, *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    named = {"unk_token": "[UNK]", "eos_token": "[SEP]"}
    if frame:
        backend.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B [SEP]",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
        named |= {"cls_token": "[CLS]", "sep_token": "[SEP]"}
    if pad is not None:
        named["pad_token"] = "[SEP]" if pad == 3 else "[PAD]"
    side = "left" if left else "right"
    return PreTrainedTokenizerFast(tokenizer_object=backend, padding_side=side, model_max_length=limit, **named)


def write(shape: Shape, folder: Path) -> None:
    """Write a checkpoint of a shape."""
    config = dict(shape.config)
    labels = config.pop("num_labels", len(config["id2label"]) if "id2label" in config else 7)
    built = new_model(shape.family, **{name: value for name, value in config.items() if name not in TWO})
    own = built.config
    own.num_labels = labels
    for name in config.keys() & TWO.keys():
        setattr(own, name, config[name])
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_config(own).float()
    state, fresh = built.float().state_dict(), model.state_dict()
    model.load_state_dict(fresh | {key: value for key, value in state.items() if value.shape == fresh[key].shape})
    model.save_pretrained(folder)
    tokenizer(**shape.tokenizer).save_pretrained(folder)
    saved = json.loads((folder / "config.json").read_text()) | shape.saved
    (folder / "config.json").write_text(json.dumps(saved))
    store(shape.weights(load_file(folder / WEIGHTS)), shape.store, folder)


def store(weights: Weights, how: str, folder: Path) -> None:
    """Replace the weights of a folder by these, stored in one of four ways."""
    (folder / WEIGHTS).unlink()
    pickled = "pickle" in how
    stem, suffix = ("pytorch_model", "bin") if pickled else ("model", "safetensors")
    keys = list(weights)
    parts = [keys[::2], keys[1::2]] if "shards" in how else [keys]
    index = {}
    for number, part in enumerate(parts, start=1):
        name = f"{stem}.{suffix}" if len(parts) == 1 else f"{stem}-{number:05}-of-{len(parts):05}.{suffix}"
        own = {key: weights[key].contiguous() for key in part}
        if pickled:
            torch.save(own, folder / name)
        else:
            save_file(own, folder / name, {"format": "pt"})
        index |= dict.fromkeys(part, name)
    if len(parts) > 1:
        content = {"metadata": {"total_size": 0}, "weight_map": index}
        (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(content))


def tried(command: str, arguments: Sequence[str]) -> str:
    """Run a command in this process; return nothing, or its last line where it failed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = main([command, *arguments])
        except BaseException as error:  # a traceback is what is looked for
            return f"{type(error).__name__}: {error}"
    return "" if code == 0 else out.getvalue().strip().splitlines()[-1]


def commands(shape: Shape, folder: Path, data: Path) -> dict[str, list[str]]:
    """Return what is run on a checkpoint."""
    results, options = str(folder / "erasure"), ["--cpu", *shape.options]
    return {
        "erase": [str(folder), "--data.path", str(data), "--output_dir", results, "--draws", "3", *options],
        "explain": [str(folder), random_texts(1)[0], "--draws", "2", *options],
        "push": [str(folder), "user/model", "--erasure", results, "--dry_run"],
    }


def run(chosen: Sequence[str]) -> int:
    """Run all commands on the shapes; return how many failed."""
    failed = 0
    print(f"{'':48}erase explain  push  seconds")
    with tempfile.TemporaryDirectory() as work:
        data = Path(work, "texts.jsonl")
        data.write_text("".join(json.dumps({"text": text}) + "\n" for text in random_texts(TEXTS)))
        for number, name in enumerate(chosen):
            folder, start = Path(work, str(number)), time.process_time()
            with contextlib.redirect_stderr(io.StringIO()):
                write(SHAPES[name], folder)
            found = {command: tried(command, told) for command, told in commands(SHAPES[name], folder, data).items()}
            marks = "  ".join("    -" if line else "   ok" for line in found.values())
            print(f"{name:48}{marks}  {time.process_time() - start:5.1f}")
            for command, line in found.items():
                if line:
                    failed += 1
                    print(f"    {command}: {line}")
    print(f"{len(chosen)} checkpoints, {failed} commands failed")
    return failed


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:] or list(SHAPES)) > 0)
