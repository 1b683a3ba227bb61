"""Erase inside a classifier and print the peak memory of this process in KiB: the child of the memory benchmark."""

import sys
from pathlib import Path

import torch
from footprint import peak
from transformers import AutoModelForSequenceClassification

from eraserhead.method.analysis import Draws, analyse
from eraserhead.method.test_one import single_keeps
from eraserhead.rankings.registry import registered, signals_of
from eraserhead.sites.budget import budget_for
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import parse_inside

ERASURES = 4  # of every document at `all`, where all of them would take minutes; rows run at a time decide the peak


def main(folder: str, place: str, budget: str) -> None:
    """Erase at a place in the batches that lie in the classifier's folder, or predict alone where the place is none."""
    torch.set_num_threads(1)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    site = None
    if place != "none":
        site = SelfAttentionSite(model, parse_inside(place), budget=budget_for(model.device, float(budget)))
    for number, batch in enumerate(torch.load(Path(folder) / "batches.pt")):
        if site is None:
            with torch.no_grad():
                model(**batch)
            continue
        reading = site.read(batch, signals_of(registered()))
        if place == "all":
            rows = torch.arange(len(reading.mask))
            reading.evaluate(rows, single_keeps(reading.mask)[:, :ERASURES])
        else:
            orders = {ranking.name: ranking.order(reading) for ranking in registered()}
            ids = [f"{number}/{row}" for row in range(len(reading.mask))]
            analyse(reading, orders, Draws(ids, seed=0, shuffles=10))
    print(peak())


if __name__ == "__main__":
    main(*sys.argv[1:])
