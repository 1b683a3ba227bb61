"""Pages on which one erases by hand: made-up decisions, and a browser that lets nothing out."""

import base64
import json
import re
import shutil
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eraserhead.explanation.decision_numbers import (
    AffineNumbers,
    CurveNumbers,
    DecisionNumbers,
    FlipNumbers,
    LimitNumbers,
    RankingNumbers,
    SingleNumbers,
)
from eraserhead.explanation.page import PageResults, results_page
from eraserhead.explanation.read_again import of_reading
from eraserhead.method.affine import AffineReading
from eraserhead.method.names import ATTENTION, MINIMUM, PRODUCT, RANDOM
from eraserhead.method.orders import order_by
from heads import random_head
from readings import affine

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LONGEST = 20.0  # seconds that a page may take to change
CLASSES = ("bad", "fair", "good")
VOCABULARY = [
    f"{first}{last}" for first in ("sun", "rain", "wind", "snow", "hail") for last in ("fall", "y", "set", "")
]


def head_reading(lengths: Sequence[int], seed: int = 0) -> AffineReading:
    """Random affine heads over three classes, with a weight of 0 and a tiny one in each document of three or more."""
    head = random_head(seed, list(lengths), hidden=7, classes=len(CLASSES))
    weights = head.weights.clone()
    for row, n in enumerate(lengths):
        if n > 2:
            weights[row, 1], weights[row, 2] = 0.0, 1e-200
    return affine(head, weights)


def decisions_of(
    reading: AffineReading, texts: Sequence[str] | None = None, draws: int = 3, prefix: str = "test/"
) -> list[DecisionNumbers]:
    """The decisions of a reading along attention, product and random orders, with their minima.

    A text is ``word0 word1 ...`` where none is given, and its components are what stands between blanks.
    """
    generator = torch.Generator().manual_seed(3)
    shape = len(reading.mask), draws, reading.mask.shape[1]
    keys = torch.rand(shape, generator=generator, dtype=torch.float64)
    random = order_by(keys, reading.mask.unsqueeze(1).expand(shape))
    scores = {ATTENTION: reading.weights, PRODUCT: reading.signals["product"]}
    orders = torch.stack([*random.unbind(1), *(order_by(each, reading.mask) for each in scores.values())], dim=1)
    flips, minimum = reading.first_flips(orders), reading.minimum()
    made = []
    for row, read in enumerate(of_reading(reading)):
        n = int(reading.lengths[row])
        text = " ".join(f"word{number}" for number in range(n)) if texts is None else texts[row]
        starts, ends = word_offsets(text, n)
        rankings = [
            RankingNumbers(RANDOM, orders[row, 0, :n].numpy(), tuple(_flip(each, row) for each in flips[:draws])),
            *(
                RankingNumbers(
                    name, orders[row, draws + at, :n].numpy(), (_flip(flips[draws + at], row),), score[row, :n].numpy()
                )
                for at, (name, score) in enumerate(scores.items())
            ),
            RankingNumbers(MINIMUM, minimum.order[row, :n].numpy(), (_flip(minimum.flips, row),)),
        ]
        singles = reading.singles().decision[row, :n].numpy().astype(np.int32)
        made.append(
            DecisionNumbers(
                id=f"{prefix}{row}",
                target=None,
                text=text,
                label=row % len(CLASSES),
                decision=read.decision,
                probabilities=tuple(read.probabilities.tolist()),
                names=[text[start:end] for start, end in zip(starts, ends, strict=True)],
                starts=starts,
                ends=ends,
                truncated=0,
                percentile=None,
                rankings=tuple(rankings),
                singles=SingleNumbers(singles, np.zeros(n)),
                affine=read.affine,
                limits=read.limits,
            )
        )
    return made


def word_offsets(text: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of what stands between blanks, and of empty ones behind the text where there are fewer."""
    found, at = [], 0
    for word in text.split(" "):
        found.append((at, at + len(word)))
        at += len(word) + 1
    found = [*(span for span in found if span[0] < span[1]), *[(0, 0)] * count][:count]
    return np.array([start for start, _ in found]), np.array([end for _, end in found])


def _flip(flips, row: int) -> FlipNumbers:
    outcome = int(flips.outcome[row])
    return FlipNumbers(None if outcome == 2 else int(flips.removed[row]), None, ("flip", "bias_only", "never")[outcome])


def made_up(count: int, seed: int = 0) -> list[DecisionNumbers]:
    """Many decisions of 10 to 170 words, whose numbers mean nothing, but are as many and as varied as real ones."""
    generator = np.random.default_rng(seed)
    made = []
    for number in range(count):
        n = int(generator.integers(10, 171))
        text = " ".join(VOCABULARY[at] for at in generator.integers(0, len(VOCABULARY), n))
        starts, ends = word_offsets(text, n)
        rankings = [
            RankingNumbers(
                name,
                generator.permutation(n),
                tuple(
                    FlipNumbers(int(generator.integers(1, n)), None, "flip") for _ in range(10 if name == RANDOM else 1)
                ),
                generator.normal(size=n) if name in (ATTENTION, PRODUCT, "gradient") else None,
                CurveNumbers(np.arange(n + 1), generator.random(n + 1)),
            )
            for name in (RANDOM, ATTENTION, "gradient", PRODUCT, MINIMUM)
        ]
        lower, upper = np.sort(generator.random((2, n + 1)), axis=0)
        made.append(
            DecisionNumbers(
                *(f"test/{number}", None, text, number % 2, 0, (0.75, 0.25), text.split(" "), starts, ends, 0, 50.0),
                rankings=tuple(rankings),
                singles=SingleNumbers(np.zeros(n, np.int32), np.zeros(n)),
                affine=AffineNumbers(generator.dirichlet(np.ones(n)), generator.normal(size=(n, 2)), np.zeros(2)),
                limits=LimitNumbers(lower, upper),
            )
        )
    return made


def page_of(decisions: Sequence[DecisionNumbers], **changes) -> PageResults:
    """Results on a page."""
    settings = {
        "facts": (("model", "runs/x"), ("data", "reviews")),
        "sentences": ("Attention has more of it. It has 23.1 [16.4, 29.5] points.",),
        "notes": ("Erasure tests weights.",),
        "classes": CLASSES,
        "unit": "words",
        "total": len({each.id for each in decisions}),
        **changes,
    }
    return PageResults(decisions=decisions, **settings)


def written_page(path: Path, *results: PageResults) -> Path:
    """The file of a page."""
    path.write_text("".join(results_page(results, "eraserhead")), encoding="utf-8")
    return path


@dataclass
class Opened:
    """A page in a browser; what it asked for and complained of is kept."""

    page: Any
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def words(self, erased: bool = False, pane: int = 0) -> list[str]:
        kind = ".erased" if erased else ""
        return self.page.locator(".pane").nth(pane).locator(f":is(.word, .chip){kind}").all_text_contents()

    def probabilities(self, pane: int = 0) -> dict[str, float]:
        """All digits of the probabilities by class."""
        script = "(rows) => rows.map((row) => [row.children[0].textContent, Number(row.children[2].title)])"
        return dict(self.page.locator(".pane").nth(pane).locator(".bars > div").evaluate_all(script))

    def slide(self, k: int, pane: int = 0) -> None:
        script = "(slider, k) => { slider.value = k; slider.dispatchEvent(new Event('input')); }"
        self.page.locator(".slide input").nth(pane).evaluate(script, k)

    def until(self, claim: str, *given: object) -> None:
        """Wait for a claim in JavaScript; playwright's own waiting evaluates text, which the page's policy forbids."""
        ends = time.monotonic() + LONGEST
        while not self.page.evaluate(claim, *given):
            assert time.monotonic() < ends, claim
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()


@contextmanager
def browser() -> Iterator[object]:
    """A browser; tests that need one are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"there is no browser: none of {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def opened(started, path: Path, address: str = "", **context) -> Iterator[Opened]:
    """A page in a new window, in which every request but that for the file fails; at the end it has not complained."""
    window = started.new_context(accept_downloads=True, **{"viewport": {"width": 1280, "height": 900}, **context})
    found = Opened(window.new_page())
    window.route("**/*", lambda route: _only(route, path, found.asked))
    found.page.on("console", lambda message: found.said.append(message.text))
    found.page.on("pageerror", lambda error: found.said.append(str(error)))
    found.page.goto(f"{path.as_uri()}{address}")
    found.page.wait_for_selector(".word, .chip, #failed:not([hidden])")
    yield found
    assert found.asked == []
    assert found.said == []
    window.close()


def _only(route, path: Path, asked: list[str]) -> None:
    address = route.request.url
    if address.split("#")[0] == path.as_uri() or address.startswith(("data:", "blob:")):
        route.continue_()
    else:
        asked.append(address)
        route.abort()


@dataclass(frozen=True)
class Unpacked:
    """What a page holds of one decision, read without its script."""

    row: dict
    text: str
    arrays: dict[str, np.ndarray]

    def array(self, reference: Sequence) -> np.ndarray:
        kind, start, size = reference
        return self.arrays[kind][start : start + size]

    def ranking(self, number: int) -> np.ndarray:
        """The order of one of its rankings."""
        return self.array(self.row["rankings"][number]["order"])

    def flips(self, number: int) -> int | None:
        """How many are erased along a ranking at the first flip, by its numbers alone."""
        weights, bias = self.array(self.row["weights"]), self.array(self.row["bias"])
        logits = self.array(self.row["logits"]).reshape(len(bias), -1).T
        kept, order = np.ones(len(weights), bool), self.ranking(number)
        decided = int(np.argmax(self.decide(kept, weights, logits, bias)))
        for k, component in enumerate(order, start=1):
            kept[component] = False
            if int(np.argmax(self.decide(kept, weights, logits, bias))) != decided:
                return k
        return None

    @staticmethod
    def decide(kept: np.ndarray, weights: np.ndarray, logits: np.ndarray, bias: np.ndarray) -> np.ndarray:
        mass = weights[kept].sum()
        return bias if mass == 0 else (weights[kept] / mass) @ (logits[kept] + bias)


def unpacked(path: Path, name: str = "A") -> tuple[dict, dict, list[Unpacked]]:
    """What a page says of its results, its index, and its decisions."""
    written = path.read_text(encoding="utf-8")
    about = json.loads(re.search(r'id="about">(.*?)</script>', written)[1])
    blocks = {
        found[1]: _inflated(found[2]) for found in re.finditer(r'octet-stream" id="([\w-]+)">([^<]*)</script>', written)
    }
    index = blocks[f"{name}-index"][0]
    decisions = []
    for row, (at, place) in enumerate(index["text"]):
        rows, arrays = blocks[f"{name}-numbers-{index['block'][row]}"]
        text = blocks[f"{name}-texts-{at}"][0][place]
        decisions.append(Unpacked(rows[index["place"][row]], text, arrays))
    return next(each for each in about if each["name"] == name), index, decisions


def _inflated(block: str) -> tuple[object, dict[str, np.ndarray]]:
    content = zlib.decompress(base64.b64decode(block))
    end = 4 + int.from_bytes(content[:4], "little")
    head, arrays = json.loads(content[4:end]), {}
    for kind, count in head["counts"].items():
        size = np.dtype(kind).itemsize
        planes = np.frombuffer(content, np.uint8, count * size, end).reshape(size, count)
        arrays[kind], end = np.ascontiguousarray(planes.T).view(f"<{kind}").ravel(), end + count * size
    return head["content"], arrays
