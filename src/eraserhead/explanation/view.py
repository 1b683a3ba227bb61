"""Show an `Explanation` on the terminal; nothing is computed here."""

import re
from textwrap import shorten
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from eraserhead.erasure.header import site_line
from eraserhead.erasure.view import called
from eraserhead.method.names import BEST_FOUND, Outcome
from eraserhead.showing.escapes import visible
from eraserhead.showing.shading import Shading
from eraserhead.showing.terminal import NEVER, NONE, Beside, Grid, Narrow, literal, prose

if TYPE_CHECKING:  # needed for annotations only
    from eraserhead.explanation.explained import Explanation, RankingExplained, Word

LINE_ENDS = re.compile(r"[\n\r\v\f\x85\u2028\u2029]")
MOST_LABELS = 8  # that are named in a line
LONGEST = 60  # characters of a sentence in a table


def explanation_view(
    explanation: "Explanation", shading: Shading | None = None, verbose_words: int = 10
) -> RenderableType:
    """Return one explained decision: the shaded text, and what each ranking must erase.

    Args:
        explanation: The decision.
        shading: How the text is shaded; default: with bars, which need no terminal.
        verbose_words: Number of words in the table of words.
    """
    shading = shading or Shading()
    probabilities = ", ".join(f"{name} {value:.3f}" for name, value in explanation.probabilities.items())
    gold = f", labelled {explanation.label}" if explanation.label is not None else ""
    cut = f"; {explanation.truncated_tokens} tokens cut off" if explanation.truncated_tokens else ""
    least = "smallest set found (an upper bound of the minimum)" if _inside(explanation) else "smallest set"
    legend = f"{_legend(explanation, shading)} ⟦…⟧: the {least} whose erasure flips the decision."
    legend += _unseen_legend(explanation)
    return Group(
        literal(f"decision: {explanation.decision}{gold} ({probabilities}); {_counted(explanation)}{cut}"),
        *([] if explanation.target is None else [literal(_target(explanation, explanation.target))]),
        literal(site_line(explanation.site)),
        Text(),
        *([] if explanation.components else [Text("no components to attend to: the bias alone decides")]),
        Narrow(shaded(explanation, shading)),
        Text(),
        prose(legend, "dim"),
        Padding(Beside(_explained(explanation), _words(explanation, verbose_words)), (1, 0, 0, 0)),
    )


def _unseen_legend(explanation: "Explanation") -> str:
    """Return what the marks mean between which, or after which, the model did not see the text."""
    if not explanation.truncated_tokens:
        return ""
    if _middle_is_cut(explanation):
        if not _cut_between_words(explanation):
            return f" The model did not see {explanation.truncated_tokens} tokens in the middle of one of them."
        return " ✂…✂: the model did not see the text between the two."
    return " ✂: the model did not see the text after it."


def _middle_is_cut(explanation: "Explanation") -> bool:
    """Tell whether the model saw the end of a text of which something is cut off."""
    if not explanation.truncated_tokens or explanation.inside is not None or explanation.second is not None:
        return False
    return not explanation.text[max((word.end for word in explanation.words), default=0) :].strip()


def _cut_between_words(explanation: "Explanation") -> bool:
    """Tell whether the part that the model did not see lies between two components, and not within one."""
    reached = 0
    for word in (word for word in explanation.words if word.start < word.end):
        if explanation.text[reached : word.start].strip():
            return True
        reached = word.end
    return False


def _legend(explanation: "Explanation", shading: Shading) -> str:
    """Return what shades or bars mean, and how much attention the tokens take that are no part of the text."""
    how = "Bars" if shading.ground is None else "Shading"
    if explanation.inside:
        return f"{how}: percentages by sentence attention, words by attention in their sentence."
    outside = [word for word in explanation.words if word.start == word.end]
    taken = sum(word.attention for word in outside)
    if not taken or len(outside) == len(explanation.words):
        return f"{how}: attention."
    names = " and ".join(dict.fromkeys(visible(word.name) for word in outside))
    return f"{how}: attention, up to that of the strongest word; {names} take {100 * taken:.0f} % beside it."


def _counted(explanation: "Explanation") -> str:
    """Return the number of components in their unit."""
    unit = explanation.site.components
    return f"{explanation.components} {unit if explanation.components != 1 else unit.removesuffix('s')}"


def _target(explanation: "Explanation", target: str) -> str:
    """Return one line on the label whose state is explained, and on those that are on."""
    on = ", ".join(explanation.on) if len(explanation.on) <= MOST_LABELS else f"{len(explanation.on)} labels"
    return f"label:    {target} is {explanation.decision}; on: {on or 'none'}; another one is explained with target"


def shaded(explanation: "Explanation", shading: Shading) -> Text:
    """Return the text shaded by attention, with the smallest set marked; one line per sentence if these are erased."""
    if explanation.inside is not None:
        return _sentences(explanation, explanation.inside, shading)
    if explanation.second is None:
        cut = _middle_is_cut(explanation)
        text, position = _shaded_words(explanation.text, explanation.words, 0, shading, cut)
        return _with_rest(text, explanation, position)
    return _pair(explanation, explanation.second, shading)


def _pair(explanation: "Explanation", second: int, shading: Shading) -> Text:
    """Return two texts, each on lines of its own and with a mark where it is cut."""
    words = explanation.words
    begins = next((place for place, word in enumerate(words) if word.start >= second), len(words))
    text, position = _shaded_words(explanation.text, words[:begins], 0, shading)
    end = second - 1  # of the first; a newline is between them
    text.append(_unseen(explanation.text[position:end])).append("\n")
    shaded_words, position = _shaded_words(explanation.text, words[begins:], second, shading)
    return text.append(shaded_words).append(_unseen(explanation.text[position:]))


def _unseen(rest: str) -> Text:
    """Return what the model did not see of one text of a pair, behind a mark."""
    return Text().append("✂" if rest.strip() else "").append(_passage(rest), style="dim")


def _sentences(explanation: "Explanation", inside: "list[list[Word]]", shading: Shading) -> Text:
    text, position = Text(), 0
    written = LINE_ENDS.sub(" ", explanation.text)  # each sentence gets one line
    strongest = max((sentence.attention for sentence in explanation.words), default=0.0) or 1.0
    for sentence, words in zip(explanation.words, inside, strict=True):
        style = shading.style(sentence.attention / strongest, sentence.erased)
        text.append(f"{100 * sentence.attention:5.1f} %", style=style).append(" ⟦" if sentence.erased else "  ")
        start = sentence.end - len(written[sentence.start : sentence.end].lstrip())
        shaded_words, reached = _shaded_words(written, words, start, shading)
        text.append(shaded_words).append(_passage(written[reached : sentence.end].rstrip()))
        text.append("⟧\n" if sentence.erased else "\n")
        position = sentence.end
    return _with_rest(text, explanation, position)


def _with_rest(text: Text, explanation: "Explanation", position: int) -> Text:
    """Append what the model did not see."""
    rest = explanation.text[position:]
    cut = explanation.truncated_tokens and (rest.strip() or explanation.inside is not None)
    return text.append("✂" if cut else "").append(_passage(rest), style="dim")


def _shaded_words(
    whole: str, words: "list[Word]", position: int, shading: Shading, cut: bool = False
) -> tuple[Text, int]:
    """Return the text from `position` to the last word, shaded, and where that ends.

    Where the text is `cut`, the model did not see what is written between two words; it is pale, between two marks.
    """
    text, strongest = Text(), _strongest(words)
    for word in words:
        strength = word.attention / strongest
        style, written = shading.style(strength, word.erased), visible(word.name) + shading.mark(strength)
        written = f"⟦{written}⟧" if word.erased else written
        if word.start == word.end:  # such as [CLS], which is not part of the text
            text.append(" " * bool(text)).append(written, style=style).append(" " * (position == 0))
            continue
        between = whole[position : word.start]
        if cut and between.strip():
            text.append("✂").append(_passage(between), style="dim").append("✂")
        else:
            text.append(_passage(between))
        text.append(written, style=style)
        position = word.end
    return text, position


def _passage(text: str) -> str:
    """Return a part of a text with its line ends and tabs kept; other control characters become visible."""
    return visible(text.replace("\r\n", "\n"), keep="\n\t")


def _strongest(words: "list[Word]") -> float:
    """Return the attention that is shaded most: of the words of the text, for [CLS] and [SEP] often take most of it."""
    in_text = [word.attention for word in words if word.start != word.end]
    return max(in_text or [word.attention for word in words], default=0.0) or 1.0


def _inside(explanation: "Explanation") -> bool:
    """Tell whether the head is not affine: no minimum is exact, and more than the bias is left without attention."""
    return any(ranking.ranking == BEST_FOUND for ranking in explanation.rankings)


def _words(explanation: "Explanation", count: int) -> Grid:
    headings = ("attention", "attention x gradient", "in the smallest set")
    unit = explanation.site.components.removesuffix("s")
    table = Grid(f"{unit.capitalize()}s by attention", unit, *headings, names_wrap=True)
    for word in sorted(explanation.words, key=lambda word: -word.attention)[:count]:
        table.add_row(
            shorten(word.name, LONGEST),
            f"{word.attention:.4f}",
            f"{word.gradient:+.4f}",
            "yes" if word.erased else "",
        )
    return table


def _explained(explanation: "Explanation") -> Grid:
    table = Grid("Erased until the decision flips", *explained_headings(explanation))
    for row in explained_rows(explanation):
        table.add_row(*row)
    return table


def explained_headings(explanation: "Explanation") -> tuple[str, ...]:
    """Return the headings of the table of what each ranking erases until the decision flips."""
    return "ranking", explanation.site.components, "fraction", "attention erased", "decision becomes"


def explained_rows(explanation: "Explanation") -> list[tuple[str, ...]]:
    """Return the rows of that table."""
    inside = _inside(explanation)
    return [_explained_row(ranking, explanation.components, inside) for ranking in explanation.rankings]


def _explained_row(ranking: "RankingExplained", components: int, inside: bool) -> tuple[str, ...]:
    name = called(ranking.ranking)
    if ranking.removed is None or ranking.mass is None:
        return name, NEVER, NONE, NONE, "does not flip"
    becomes = ranking.becomes or ""
    if ranking.draws is not None:
        becomes = f"(mean over the {ranking.draws[0]} of {ranking.draws[1]} that flip)"
    nothing_left = "no attention left" if inside else "by the bias alone"
    bias = f" ({nothing_left})" if ranking.outcome == Outcome.BIAS_ONLY.label else ""
    numbers = (_count(ranking.removed), f"{ranking.removed / components:.3f}", f"{ranking.mass:.3f}")
    return name, *numbers, becomes + bias


def _count(number: float) -> str:
    return f"{number:.0f}" if number == int(number) else f"{number:.1f}"
