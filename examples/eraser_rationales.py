"""Turns a data set in the layout of ERASER (DeYoung et al. 2020) into rows with a column of rationales.

    python examples/eraser_rationales.py path/to/movies test rationales.jsonl
    eraserhead erase path/to/checkpoint --data.path rationales.jsonl --data.rationale_column rationales

The layout: a folder ``docs`` with one text for each document, in words with white space between them, and one JSON
object a line in ``SPLIT.jsonl`` with ``annotation_id``, ``classification`` and ``evidences``, a list of groups of
``docid``, ``start_token`` and ``end_token`` (behind the last word).
"""

import json
import re
import sys
from pathlib import Path


def rows(folder: Path, split: str):
    """Yield id, text, label and rationales of each annotated document."""
    for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
        annotation = json.loads(line)
        evidence = [each for group in annotation["evidences"] for each in group]
        names = {each["docid"] for each in evidence} or {annotation["annotation_id"]}
        if len(names) > 1:
            sys.exit(f"{annotation['annotation_id']}: its evidence lies in {len(names)} documents; this reads one")
        text = (folder / "docs" / names.pop()).read_text(encoding="utf-8")
        words = [match.span() for match in re.finditer(r"\S+", text)]
        spans = [[words[each["start_token"]][0], words[each["end_token"] - 1][1]] for each in evidence]
        label = annotation["classification"]
        yield {"id": annotation["annotation_id"], "text": text, "label": label, "rationales": spans}


if __name__ == "__main__":
    source, split, output = sys.argv[1:]
    with Path(output).open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows(Path(source), split))
