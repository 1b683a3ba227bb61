"""The page of results in a headless browser: frames while the slider moves, and how soon a document is there."""

import tempfile
import time
from pathlib import Path
from statistics import median

from timing import Result

from explored import CLASSES, browser, decisions_of, head_reading, made_up, opened, page_of, written_page

WORDS, MOVES, DOCUMENTS, ROUNDS = 512, 240, 10_000, 3
# One move in each frame that the browser draws; what is returned are the milliseconds from frame to frame.
FRAMES = """(moves) => new Promise((done) => {
    const slider = document.querySelector(".slide input"), steps = Number(slider.max) + 1, found = [];
    let last = null;
    function frame(now) {
        if (last !== null) found.push(now - last);
        last = now;
        if (found.length === moves) return done(found);
        slider.value = (found.length * 7) % steps;
        slider.dispatchEvent(new Event("input"));
        requestAnimationFrame(frame);
    }
    requestAnimationFrame(frame);
})"""


def frames() -> list[Result]:
    """Move the slider in every frame, through one document of 512 words at an affine head."""
    with tempfile.TemporaryDirectory() as folder, browser() as started:
        path = written_page(Path(folder) / "page.html", page_of(decisions_of(head_reading([WORDS], seed=4))))
        found = []
        for _ in range(ROUNDS):
            with opened(started, path) as page:
                found.append(page.page.evaluate(FRAMES, MOVES))
    rates = [1000 * MOVES / sum(each) for each in found]
    late = [sum(time > 1.5 * 1000 / 60 for time in each) / MOVES for each in found]
    return [
        Result(
            name="page-frames",
            what=f"frames a second while the slider moves through {WORDS} words",
            measured=median(rates),
            wanted=60,
            at_least=True,
            spread=(min(rates), max(rates)),
            figures={"frames that came late": f"{median(late):.0%}"},
            unit="a second",
            notes="wall time in headless Chromium, which draws on the CPU; late: more than half a frame",
        )
    ]


def opening() -> list[Result]:
    """Open a page of 10,000 documents at one of them."""
    with tempfile.TemporaryDirectory() as folder, browser() as started:
        path = written_page(Path(folder) / "page.html", page_of(made_up(DOCUMENTS), classes=CLASSES[:2]))
        times = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            with opened(started, path, "#id=test/7777&k=3") as page:
                page.until("document.getElementById('name').textContent === 'test/7777'")
                times.append(time.perf_counter() - begun)
        size = path.stat().st_size / 1e6
    what = f"seconds until a document is there on a page of {DOCUMENTS:,}"
    figures = {"size of the page, MB": size}
    return [Result("page-opening", what, median(times), 3, False, (min(times), max(times)), figures, "s", "wall time")]
