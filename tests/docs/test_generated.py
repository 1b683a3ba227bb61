"""The generated parts of the pages are what the code and the demonstration say today: else run `make docs`."""

import pytest

import generate
from pages import PAGES


@pytest.mark.parametrize("page", PAGES)
def test_every_part_of_a_page_has_a_generator(page):
    names = generate.part_names(PAGES[page].read_text(encoding="utf-8"))
    assert set(names) <= {*generate.PARTS, *generate.FROM_THE_DEMO}


def test_every_generator_is_used():
    used = {name for page in PAGES.values() for name in generate.part_names(page.read_text(encoding="utf-8"))}
    assert used == {*generate.PARTS, *generate.FROM_THE_DEMO}


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_of_the_code_is_what_the_code_says(page):
    text = PAGES[page].read_text(encoding="utf-8")
    assert text == generate.renewed(text, generate.PARTS)


@pytest.mark.thorough
def test_what_the_pages_show_of_the_demonstration_is_what_it_prints(encoder_folder):
    for page in PAGES.values():
        text = page.read_text(encoding="utf-8")
        assert text == generate.renewed(text, generate.FROM_THE_DEMO)
