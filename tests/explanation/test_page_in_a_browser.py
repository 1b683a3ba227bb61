"""The page in a real browser: what one does with hands, keyboard and address, and that its numbers are the method's."""

import csv
import html
import io
import json
import re
import time
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from eraserhead.explanation.decision_numbers import CurveNumbers
from explored import CLASSES, browser, decisions_of, head_reading, made_up, opened, page_of, written_page

pytestmark = pytest.mark.slow

LENGTHS = (23, 11, 5, 2, 1)


@pytest.fixture(scope="module")
def started():
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def reading():
    return head_reading(LENGTHS)


@pytest.fixture(scope="module")
def decisions(reading):
    return decisions_of(reading)


@pytest.fixture(scope="module")
def path(decisions, tmp_path_factory):
    return written_page(tmp_path_factory.mktemp("page") / "page.html", page_of(decisions))


PRESS = """(words, erased) => words.forEach((word, i) => {
    if (word.classList.contains("erased") !== erased.includes(i)) {
        const options = { bubbles: true, button: 0 };
        word.dispatchEvent(new PointerEvent("pointerdown", options));
        word.dispatchEvent(new PointerEvent("pointerup", options));
    }
})"""


def test_probabilities_are_those_of_the_reading_for_any_words_erased_by_hand(started, path, reading, decisions):
    """Logits are compared too: of two classes they differ by the logarithm of the probabilities' ratio."""
    generator = np.random.default_rng(5)
    for row, n in enumerate(LENGTHS):
        with opened(started, path, f"#id=test/{row}") as page:
            for share in (0.0, 0.3, 0.6, 0.9, 1.0):
                keep = generator.random(n) >= share
                erased = np.flatnonzero(~keep).tolist()
                page.page.locator(".words > [role=option]").evaluate_all(PRESS, erased)
                mask = torch.zeros(1, 1, reading.mask.shape[1], dtype=torch.bool)
                mask[0, 0, :n] = torch.tensor(keep)
                expected = reading.evaluate(torch.tensor([row]), mask)
                found = page.probabilities()
                values = np.array([found[name] for name in CLASSES])
                assert np.abs(values - expected.logits.softmax(-1)[0, 0].numpy()).max() < 1e-9
                logits = expected.logits[0, 0].numpy()
                assert np.abs(np.diff(np.log(values)) - np.diff(logits)).max() < 1e-9
                assert page.page.locator(".readout strong").inner_text() == CLASSES[int(expected.decision)]


def test_the_slider_erases_along_the_ranking_and_flips_where_the_reading_does(started, path, decisions):
    for row in (0, 1, 2):
        for at, ranking in enumerate(decisions[row].rankings[:-1]):
            with opened(started, path, f"#id=test/{row}&ranking={ranking.name}&k=0") as page:
                before = page.text(".readout strong")
                first = ranking.flips[0].removed
                for k in (1, 2, len(decisions[row].names)) if first is None else (first - 1, first):
                    page.slide(k)
                    erased = {f"word{number}" for number in ranking.order[:k]}
                    assert set(page.words(erased=True)) == erased
                    assert (page.text(".readout strong") != before) == (first is not None and k >= first), (at, k)


def test_the_buttons_erase_up_to_the_flip_the_smallest_set_and_nothing(started, path, decisions):
    minimum = decisions[0].rankings[-1]
    smallest = {f"word{number}" for number in minimum.order[: minimum.flips[0].removed]}
    with opened(started, path, "#id=test/0&ranking=attention") as page:
        page.page.get_by_role("button", name="Smallest set").click()
        assert set(page.words(erased=True)) == smallest
        assert "flipped" in page.text(".readout")
        page.page.get_by_role("button", name="Reset").click()
        assert page.words(erased=True) == []
        page.page.get_by_role("button", name="First flip").click()
        assert len(page.words(erased=True)) == decisions[0].rankings[1].flips[0].removed
        for key, count in (("r", 0), ("m", len(smallest)), ("r", 0), ("f", decisions[0].rankings[1].flips[0].removed)):
            page.page.keyboard.press(key)
            assert len(page.words(erased=True)) == count


def test_words_are_erased_by_click_by_drag_and_by_keyboard(started, path):
    with opened(started, path, "#id=test/0") as page:
        words = page.page.locator(".word")
        words.nth(4).click()
        assert page.words(erased=True) == ["word4"]
        words.nth(4).click()
        assert page.words(erased=True) == []
        start, end = (words.nth(at).bounding_box() for at in (1, 3))
        page.page.mouse.move(start["x"] + 5, start["y"] + 5)
        page.page.mouse.down()
        page.page.mouse.move(end["x"] + 5, end["y"] + 5, steps=20)
        page.page.mouse.up()
        assert page.words(erased=True) == ["word1", "word2", "word3"]
        page.page.keyboard.press("Home")
        page.page.keyboard.press("Space")
        page.page.keyboard.press("ArrowRight")
        page.page.keyboard.press("Space")  # takes back
        assert page.words(erased=True) == ["word0", "word2", "word3"]
        page.page.keyboard.press("End")
        page.page.keyboard.press("Shift+ArrowLeft")
        assert page.words(erased=True) == ["word0", "word2", "word3", "word21", "word22"]
        assert words.nth(21).get_attribute("aria-selected") == "true"
        page.page.keyboard.press("ArrowUp")
        focused = page.page.evaluate("document.activeElement.textContent")
        assert focused.startswith("word")
        assert focused != "word21"


def test_no_word_moves_where_others_are_erased(started, path):
    boxes = "(words) => words.map((word) => word.getBoundingClientRect().toJSON())"
    with opened(started, path, "#id=test/0") as page:
        words = page.page.locator(".word")
        before = words.evaluate_all(boxes)
        page.slide(len(before) // 2)
        assert page.words(erased=True)
        assert words.evaluate_all(boxes) == before


def test_an_address_names_the_document_the_ranking_and_what_is_erased(started, path, decisions):
    with opened(started, path, "#id=test/1&ranking=product&k=3") as page:
        assert page.text("#name") == "test/1"
        assert set(page.words(erased=True)) == {f"word{number}" for number in decisions[1].rankings[2].order[:3]}
        page.page.locator(".word").nth(0).click()
        page.until("location.hash.includes('erased=')")
        address, erased = page.page.evaluate("location.hash"), page.words(erased=True)
    with opened(started, path, address) as page:
        assert page.words(erased=True) == erased
        page.page.evaluate("location.hash = '#id=test/2&k=1'")
        page.until("document.getElementById('name').textContent === 'test/2'")
        assert len(page.words(erased=True)) == 1
    with opened(started, path, "#id=no/such") as page:
        assert "no document no/such" in page.text("#failed")
        page.page.keyboard.press("]")
        page.until("document.getElementById('name').textContent === 'test/1'")
        assert not page.page.locator("#failed").is_visible()


def test_the_list_is_sorted_and_searched(started, path, decisions):
    removed = {each.id: each.rankings[1].flips[0].removed for each in decisions}
    least = {each.id: each.rankings[-1].flips[0].removed for each in decisions}
    with opened(started, path, "#ranking=attention&id=test/0") as page:
        names = page.page.locator(".row b")
        assert names.all_text_contents() == [f"test/{row}" for row in range(len(LENGTHS))]
        page.page.locator("#sort").select_option(index=2)  # excess over the smallest set
        excess = [
            removed[name] - least[name]
            for name in names.all_text_contents()
            if None not in (removed[name], least[name])
        ]
        assert excess == sorted(excess, reverse=True)
        assert max(excess) > 0
        page.page.locator("#sort").select_option(index=3)
        never = [removed[name] is None for name in names.all_text_contents()]
        assert never == sorted(never, reverse=True)
        page.page.locator("#search").fill("word10")  # in the documents of 23 and of 11 words
        page.until("document.querySelectorAll('.row').length === 2")
        assert set(names.all_text_contents()) == {"test/0", "test/1"}
        page.page.locator("#search").fill("word10 test/1")
        page.until("document.querySelectorAll('.row').length === 1")
        names.first.click()
        page.until("document.getElementById('name').textContent === 'test/1'")
        page.page.locator("#search").fill("")
        page.until("document.querySelectorAll('.row').length === 5")
        page.page.locator("#name").click()
        page.page.keyboard.press("]")
        page.until("document.getElementById('name').textContent !== 'test/1'")


def test_two_rankings_stand_side_by_side_and_slide_together(started, path, decisions):
    with opened(started, path, "#id=test/0&ranking=attention&k=4&beside=0:product") as page:
        assert page.page.locator(".pane").count() == 2
        for pane, ranking in enumerate(decisions[0].rankings[1:3]):
            assert set(page.words(True, pane)) == {f"word{number}" for number in ranking.order[:4]}
        page.slide(7)
        assert [len(page.words(True, pane)) for pane in (0, 1)] == [7, 7]
        page.page.locator("#beside").select_option("")
        page.until("document.querySelectorAll('.pane').length === 1")


def test_two_results_stand_side_by_side(started, tmp_path, decisions):
    other = decisions_of(head_reading(LENGTHS, seed=9))
    path = written_page(tmp_path / "two.html", page_of(decisions), page_of(other[:3]))
    with opened(started, path, "#id=test/1&ranking=attention&k=2") as page:
        assert page.page.locator(".pane .of").all_text_contents() == ["Results A", "Results B"]
        for pane, each in enumerate((decisions[1], other[1])):
            assert set(page.words(True, pane)) == {f"word{number}" for number in each.rankings[1].order[:2]}
        page.page.evaluate("location.hash = '#id=test/4'")  # which the second ones do not have
        page.until("document.querySelectorAll('.pane').length === 1")


def test_numbers_and_pictures_are_saved(started, path, decisions, tmp_path):
    with opened(started, path, "#id=test/0&ranking=attention&k=3") as page:
        files = {}
        for button in ("SVG", "PNG", "Words, CSV", "Curves, CSV"):
            with page.page.expect_download() as waiting:
                page.page.get_by_role("button", name=button, exact=True).click()
            waiting.value.save_as(tmp_path / waiting.value.suggested_filename)
            files[button] = (tmp_path / waiting.value.suggested_filename).read_bytes()
    head, *rows = [line.split(",") for line in files["Words, CSV"].decode().splitlines()]
    affine = decisions[0].affine
    assert [float(row[head.index("weight")]) for row in rows] == affine.weights.tolist()
    assert [float(row[head.index("logit_fair")]) for row in rows] == affine.logits[:, 1].tolist()
    assert sum(int(row[head.index("erased")]) for row in rows) == 3
    head, *rows = [line.split(",") for line in files["Curves, CSV"].decode().splitlines()]
    assert [int(row[0]) for row in rows] == list(range(24))
    lowest, highest, along = (head.index(name) for name in ("lowest", "highest", "attention"))
    assert all(float(row[lowest]) - 1e-4 <= float(row[along]) <= float(row[highest]) + 1e-4 for row in rows)
    assert files["PNG"].startswith(b"\x89PNG")
    assert b"<svg" in files["SVG"]
    assert b"word22" in files["SVG"]


SAVED = "a \x00\x0b\ufffe 😀b 👩‍👩‍👧 good"


def test_texts_of_any_characters_are_saved_with_offsets_in_characters(started, tmp_path):
    """XML has no place for some characters, and JavaScript counts two for others."""
    words = SAVED.split(" ")
    made = decisions_of(head_reading([len(words)]), texts=[SAVED])
    path = written_page(tmp_path / "page.html", page_of(made))
    files = {}
    with opened(started, path) as page:
        for button in ("SVG", "PNG", "Words, CSV"):
            with page.page.expect_download(timeout=10_000) as waiting:
                page.page.get_by_role("button", name=button, exact=True).click()
            waiting.value.save_as(tmp_path / "saved")
            files[button] = (tmp_path / "saved").read_bytes()
    assert files["PNG"].startswith(b"\x89PNG")
    assert "".join(ElementTree.fromstring(files["SVG"]).itertext()).count("\ufffd") >= 2
    rows = list(csv.DictReader(io.StringIO(files["Words, CSV"].decode().replace("\x00", ""))))
    assert [SAVED[int(row["start"]) : int(row["end"])] for row in rows] == words


def test_a_picture_that_cannot_be_drawn_is_told_of(started, path):
    with opened(started, path) as page:
        page.page.evaluate("() => { XMLSerializer.prototype.serializeToString = () => '<'; }")
        page.page.get_by_role("button", name="PNG", exact=True).click()
        page.until("!document.getElementById('failed').hidden")
        assert page.text("#failed") == "This browser cannot draw the picture as PNG; save it as SVG."


HOSTILE = [
    "<script>document.title='owned'</script> </script><img src=x onerror=document.title='owned'>",
    "<!--<script> \u2028 \u2029 \u202e ]]> {{ title }} ${title} &lt;b&gt; \\u003c",
    "\x00 \x1b]2;x\x07 \ufeff '\"><svg/onload=alert(1)> javascript:alert(1)",
    "😀 👩‍👩‍👧 e\u0301 =SUM(A1) @x +1 -1",
]


# The text of an element, without the chips that stand for what cannot be seen.
SHOWN = """(root) => {
  const copy = root.cloneNode(true);
  copy.querySelectorAll(".chip").forEach((chip) => chip.remove());
  return copy.textContent;
}"""


def test_hostile_texts_are_shown_and_do_nothing(started, tmp_path):
    lengths = [len(text.split(" ")) for text in HOSTILE]
    made = [
        each.__class__(**{**vars(each), "id": f"{text[:40]}{row}"})
        for row, (each, text) in enumerate(
            zip(decisions_of(head_reading(lengths, seed=2), texts=HOSTILE), HOSTILE, strict=True)
        )
    ]
    names = ("<b>bad</b>", "</script><script>document.title='owned'</script>", "good\u2028")
    sentences = ("<img src=x onerror=document.title='owned'>. More </script>.",)
    results = page_of(made, classes=names, sentences=sentences, facts=(("model", "</script><b>x"),))
    path = written_page(tmp_path / "hostile.html", results)
    with opened(started, path) as page:
        for text, each in zip(HOSTILE, made, strict=True):
            page.page.evaluate("(id) => { location.hash = '#' + new URLSearchParams({ id }); }", each.id)
            page.until("(id) => document.getElementById('name').textContent === id", each.id)
            assert page.page.locator(".words").evaluate(SHOWN) == text
            assert page.words() == [
                word if word.strip("\u2028\u2029\ufeff") else "␣" for word in text.split(" ") if word
            ]
        assert page.page.title() == "eraserhead"
        assert page.page.locator("img, .words script, .words b").count() == 0
        assert page.text(".verdict strong") == "<img src=x onerror=document.title='owned'>."


def test_colours_follow_the_reader_and_print_leaves_the_list_out(started, path):
    with opened(started, path, color_scheme="dark") as page:
        assert page.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 23, 26)"
        page.page.emulate_media(media="print")
        assert page.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not page.page.locator("#documents").is_visible()
        assert page.page.locator(".words").is_visible()


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour, under) => {
    canvas.fillStyle = `rgb(${under.join(",")})`; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const behind = (element) => {
    const under = element.parentElement ? behind(element.parentElement) : [255, 255, 255];
    return rgb(getComputedStyle(element).backgroundColor, under);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest("script, style, option")) continue;
    const under = behind(element), over = rgb(getComputedStyle(element).color, under);
    const [high, low] = [light(under), light(over)].sort((a, b) => b - a);
    if ((high + 0.05) / (low + 0.05) < 4.5) bad.push([element.className, element.textContent.slice(0, 20)]);
  }
  return bad;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast_and_every_control_a_name(started, path, scheme):
    with opened(started, path, "#id=test/0&ranking=product&k=5", color_scheme=scheme) as page:
        time.sleep(0.2)
        assert page.page.evaluate(CONTRAST) == []
        unnamed = """() => [...document.querySelectorAll("button, input, select, [role=listbox], [role=radiogroup]")]
            .filter((each) => !(each.ariaLabel || each.textContent.trim() || (each.labels && each.labels.length)))
            .map((each) => each.outerHTML.slice(0, 80))"""
        assert page.page.evaluate(unnamed) == []
        page.page.locator(".word").nth(2).focus()
        page.page.keyboard.press("ArrowRight")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.page.evaluate(outline) == "solid"


def test_a_phone_shows_all_without_scrolling_sideways(started, path):
    with opened(started, path, "#id=test/0", viewport={"width": 360, "height": 740}) as page:
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 360
        page.page.locator("#help-button").click()
        assert page.page.locator("#help").is_visible()
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_slider_moves_through_512_words_at_sixty_frames_a_second(started, tmp_path):
    """What a move costs that nothing else on the machine delays: the script, and the layout that follows from it."""
    path = written_page(tmp_path / "long.html", page_of(decisions_of(head_reading([512], seed=4))))
    move = """() => {
      const slider = document.querySelector(".slide input"), spent = [];
      for (let k = 0; k <= 512; k += 3) {
        const started = performance.now();
        slider.value = k;
        slider.dispatchEvent(new Event("input"));
        document.body.getBoundingClientRect();
        spent.push(performance.now() - started);
      }
      return spent.sort((a, b) => a - b)[Math.floor(spent.length / 10)];
    }"""
    with opened(started, path) as page:
        assert page.page.evaluate(move) < 1000 / 60


def test_the_policy_lets_nothing_else_run(path):
    written = path.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', written)
    assert policy is not None
    assert policy[1].startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert "unsafe" not in policy[1]
    assert json.loads(re.search(r'id="about">(.*?)</script>', written)[1])[0]["classes"] == list(CLASSES)


def test_stored_erasures_are_shown_and_words_cannot_be_erased_where_there_is_no_closed_form(
    started, tmp_path, decisions
):
    """Along attention, up to the first flip and where probabilities were measured, and no further."""
    whole = decisions[1]
    first = whole.rankings[1].flips[0].removed
    assert 3 < first < 9
    curve = CurveNumbers(np.array([2, 10]), np.array([0.875, 0.75]))
    along = replace(whole.rankings[1], curve=curve)
    bare = replace(whole, affine=None, limits=None, rankings=(whole.rankings[0], along, *whole.rankings[2:]))
    path = written_page(tmp_path / "inside.html", page_of([bare], by_hand="No closed form here."))
    with opened(started, path, "#ranking=attention&id=test/1") as page:
        assert page.text(".by-hand").startswith("No closed form here. There are no exact limits here.")
        page.page.locator(".word").nth(3).click()
        assert page.words(erased=True) == []
        assert page.text(".about").startswith("“word3”: attention 0.")
        original = CLASSES[whole.decision]
        for k, said in ((2, original), (3, original), (first, f"not {original}"), (9, "not stored"), (10, original)):
            page.slide(k)
            assert page.text(".readout strong") == said
        assert page.probabilities()[original] == pytest.approx(0.75, abs=1e-4)
        page.slide(3)
        assert "measured with 2, 10 erased" in page.text(".readout")
        page.page.keyboard.press("m")
        assert len(page.words(erased=True)) == whole.rankings[-1].flips[0].removed
        assert page.page.locator(".band").count() == 0


def test_the_mean_over_random_orders_is_not_the_probability_of_the_first(started, tmp_path, decisions):
    whole = decisions[1]
    curve = CurveNumbers(np.arange(12), np.linspace(0.9, 0.3, 12))
    along = replace(whole.rankings[0], curve=curve)
    bare = replace(whole, affine=None, limits=None, rankings=(along, *whole.rankings[1:]))
    path = written_page(tmp_path / "stored.html", page_of([bare]))
    with opened(started, path, "#ranking=random&id=test/1") as page:
        assert page.probabilities()[CLASSES[whole.decision]] == whole.probabilities[whole.decision]
        assert page.page.locator("polyline.curve").count() == 1
        page.slide(1)
        assert not any(re.search(r"\d", each) for each in page.page.locator(".bars .value").all_text_contents())
        assert page.page.locator("circle.here").get_attribute("visibility") == "hidden"
        assert "Probabilities of this order, the first of 3, were not stored." in page.text(".readout")
        assert "mean of 3 orders" in page.text(".legend")


def test_no_single_random_order_is_drawn_as_the_mean(started, path, decisions):
    """Three rankings have no stored curve; the page draws the two whose only order it knows."""
    assert all(each.curve is None for each in decisions[0].rankings)
    with opened(started, path, "#ranking=random&id=test/0") as page:
        assert page.page.locator("polyline.curve").count() == 2
        assert "mean of" not in page.text(".legend")
        assert "first of 3 orders; their mean curve was not stored" in page.text(".legend")
        with page.page.expect_download() as waiting:
            page.page.get_by_role("button", name="Curves, CSV", exact=True).click()
        assert waiting.value.path().read_text().startswith("erased,attention,product,lowest,highest")


def test_an_address_restores_the_smallest_set_with_and_without_a_closed_form(started, tmp_path, decisions):
    whole = decisions[1]
    least = whole.rankings[-1]
    expected = {f"word{number}" for number in least.order[: least.flips[0].removed]}
    for made in (whole, replace(whole, affine=None, limits=None)):
        path = written_page(tmp_path / "page.html", page_of([made]))
        with opened(started, path, "#id=test/1&ranking=attention") as page:
            page.page.keyboard.press("m")
            page.until("location.hash.includes('set=smallest')")
            address = page.page.evaluate("location.hash")
        with opened(started, path, address) as page:
            assert set(page.words(erased=True)) == expected
            assert "the smallest set" in page.text(".readout")
            page.page.locator("#beside").select_option("0:product")
            page.until("document.querySelectorAll('.pane').length === 2")
            assert set(page.words(erased=True)) == expected


def test_a_label_has_an_address_of_its_own(started, tmp_path, decisions):
    both = [replace(decisions[0], target=target, label=None) for target in ("toxic", "spam")]
    path = written_page(tmp_path / "labels.html", page_of(both))
    with opened(started, path, "#id=test/0&target=spam&k=2&ranking=product") as page:
        assert page.text("#name") == "test/0, label “spam”"
        assert page.text("#count") == "2 decisions"
        page.page.keyboard.press("[")
        page.until("location.hash.includes('target=toxic')")
        assert page.text("#name") == "test/0, label “toxic”"


def test_a_page_works_inside_the_frame_of_a_notebook(started, path, tmp_path):
    frame = tmp_path / "frame.html"
    frame.write_text(f'<p class="word">x</p><iframe srcdoc="{html.escape(path.read_text())}"></iframe>')
    with opened(started, frame) as page:
        inner = page.page.frame_locator("iframe")
        inner.locator(".word").nth(2).click()
        assert inner.locator(".words .erased").all_text_contents()[0] == "word2"
        time.sleep(0.3)  # the address would be written by now


@pytest.mark.thorough
def test_ten_thousand_documents_are_there_in_three_seconds(started, tmp_path):
    """Of 90 words on average; the numbers are made up, and only their amount is as in real results."""
    path = written_page(tmp_path / "many.html", page_of(made_up(10_000), classes=CLASSES[:2]))
    assert path.stat().st_size < 60e6
    times = []
    for _ in range(2):
        begun = time.monotonic()
        with opened(started, path, "#id=test/7777&k=3") as page:
            times.append(time.monotonic() - begun)
            assert page.text("#name") == "test/7777"
            assert len(page.words(erased=True)) == 3
            page.page.locator("#search").fill("test/999")
            page.until("document.getElementById('count').textContent.startsWith('11 ')")
    assert min(times) < 3
