"""Erase inside a classifier and print the peak memory of this process in KiB: the child of the memory benchmark."""

import sys
from pathlib import Path

import torch
from footprint import peak
from transformers import AutoModelForSequenceClassification

from eraserhead.loading.choosing import GIGABYTE
from eraserhead.method.analysis import analyse
from eraserhead.method.test_one import single_keeps
from eraserhead.sites.inside.site import SelfAttentionSite, parse_place

ERASURES = 4  # of every document at `all`, where all of them would take minutes; rows run at a time decide the peak


def main(folder: str, place: str, budget: str) -> None:
    """Erase at a place in the batches that lie in the classifier's folder, or predict alone where the place is none."""
    torch.set_num_threads(1)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    site = None
    if place != "none":
        site = SelfAttentionSite(model, parse_place(place), memory_budget=float(budget) * GIGABYTE)
    for number, batch in enumerate(torch.load(Path(folder) / "batches.pt")):
        if site is None:
            with torch.no_grad():
                model(**batch)
            continue
        attention = site.read(batch)
        if place == "all":
            site.replay(attention, single_keeps(attention.mask)[:, :ERASURES])
        else:
            analyse(site, attention, [f"{number}/{row}" for row in range(len(attention.mask))], draws=10, seed=0)
    print(peak())


if __name__ == "__main__":
    main(*sys.argv[1:])
