"""Names of the files in what is pushed, and which of them a push may replace or remove."""

import re
from collections.abc import Sequence
from pathlib import Path

from eraserhead.erasure.results import RESULTS
from eraserhead.erasure.summary import Summary
from eraserhead.loading.run_layout import RUN
from eraserhead.models import modeling_attention_pooling

CARD, FIGURE, PICTURE, PAGE, TRAINING = "README.md", "erasure.png", "decision.png", "page.html", "training.json"
FLIPS, DOCUMENTS, SIGNALS = (RESULTS.table(name) for name in ("flips", "documents", "signals"))
FURTHER = RUN.erasure  # folder with a folder for each of the results after the first
EVAL_RESULTS = ".eval_results"  # folder that the hub reads scores from
ACCURACY_FILE, FRACTIONS_FILE = f"{EVAL_RESULTS}/accuracy.yaml", f"{EVAL_RESULTS}/erased_fraction.yaml"

OF_RESULTS = (RESULTS.summary, FLIPS, DOCUMENTS, SIGNALS, FIGURE)
OWN_MODULES = "|".join(
    sorted(module.stem for module in Path(str(modeling_attention_pooling.__file__)).parent.glob("*.py"))
)
# Files of results; a push may replace or remove those that an earlier push wrote.
RESULT_FILES = re.compile(
    rf"{re.escape(PICTURE)}|{re.escape(PAGE)}|{re.escape(FRACTIONS_FILE)}"
    rf"|({FURTHER}/[\w.-]+/)?({'|'.join(map(re.escape, OF_RESULTS))})"
)
# Files that a push may always replace or remove; other files belong to the owner.
CARD_ALONE = re.compile(re.escape(CARD))
OWN_FILES = re.compile(
    rf"{re.escape(CARD)}|{re.escape(ACCURACY_FILE)}|{TRAINING}|{RUN.config}|{RUN.index}|({OWN_MODULES})\.py"
    r"|model(-\d+-of-\d+)?\.safetensors"
    # Files of another tokenizer, which would be read together with ours.
    r"|(tokenizer|tokenizer_config|added_tokens|special_tokens_map|vocab)\.json|(vocab|merges)\.txt|chat_template\.jinja"
    r"|[\w.-]+\.(model|codes|spm|bpe|tiktoken)"
)


def result_files(folder: Path) -> list[str]:
    """Return which files of results are in a folder to push."""
    names = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return sorted(filter(RESULT_FILES.fullmatch, names))


def places(summaries: Sequence[Summary]) -> list[str]:
    """Return the folder of each of several results, with a slash behind it; nothing for the first."""
    found: list[str] = []
    for summary in summaries:
        site = summary.setup.site
        name = re.sub(r"[^\w-]+", "-", f"{site.site}-{site.components}").strip("-")
        same = sum(place.startswith(f"{FURTHER}/{name}") for place in found)
        found.append(f"{FURTHER}/{name}{f'-{same + 1}' if same else ''}/" if found else "")
    return found
