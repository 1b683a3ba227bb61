"""One explained decision for the terminal; a view of an `Explanation`, never a computation."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from eraserhead.faces.tables import BEST_FOUND, NAMES, NEVER, NONE, new_table, site_line

if TYPE_CHECKING:  # for its types alone
    from eraserhead.runs.explanation import Explanation, RankingExplained

FAINT = 0.05  # of the strongest attention: what is weaker is not shaded


def explanation_view(explanation: "Explanation", verbose_words: int = 10) -> RenderableType:
    """Return one explained decision: the shaded text, and what each ranking must erase."""
    probabilities = ", ".join(f"{name} {value:.3f}" for name, value in explanation.probabilities.items())
    gold = f", labelled {explanation.label}" if explanation.label is not None else ""
    cut = f"; {explanation.truncated_tokens} tokens cut off" if explanation.truncated_tokens else ""
    least = "smallest set found (an upper bound of the minimum)" if _inside(explanation) else "smallest set"
    legend = f"Shading: attention. ⟦…⟧: the {least} whose erasure flips the decision."
    legend += " ✂: the model saw nothing behind it." if explanation.truncated_tokens else ""
    return Group(
        Text(f"decision: {explanation.decision}{gold} ({probabilities}); {explanation.components} components{cut}"),
        Text(f"{site_line(explanation.site)}\n"),
        shaded(explanation),
        Text(f"\n{legend}", style="dim"),
        Padding(_words(explanation, verbose_words), (1, 0, 0, 0)),
        Padding(_explained(explanation), (1, 0, 0, 0)),
    )


def shaded(explanation: "Explanation") -> Text:
    """Return the text with its words shaded by attention and the minimal flip set marked."""
    text, position = Text(), 0
    strongest = max((word.attention for word in explanation.words), default=0.0) or 1.0
    for word in explanation.words:
        style, written = _shade(word.attention / strongest, word.erased), f"⟦{word.name}⟧" if word.erased else word.name
        if word.start == word.end:  # such as [CLS], which stands beside the text
            text.append(" " * bool(text)).append(written, style=style).append(" " * (position == 0))
            continue
        text.append(explanation.text[position : word.start]).append(written, style=style)
        position = word.end
    mark = "✂" if explanation.truncated_tokens else ""
    return text.append(mark).append(explanation.text[position:], style="dim")


def _shade(strength: float, erased: bool) -> str:
    if strength < FAINT:
        return "bold" if erased else ""
    level = round(255 - 175 * strength)
    return f"{'bold ' if erased else ''}black on rgb(255,{max(level, 120)},{level})"


def _inside(explanation: "Explanation") -> bool:
    """Tell whether the attention is an encoder's own: there is then no minimum, and no bare bias."""
    return any(ranking.ranking == BEST_FOUND for ranking in explanation.rankings)


def _words(explanation: "Explanation", count: int) -> Table:
    headings = ("attention", "attention x gradient", "in the smallest set")
    table = new_table("Words by attention", "word", *headings)
    for word in sorted(explanation.words, key=lambda word: -word.attention)[:count]:
        table.add_row(Text(word.name), f"{word.attention:.4f}", f"{word.gradient:+.4f}", "yes" if word.erased else "")
    return table


def _explained(explanation: "Explanation") -> Table:
    headings = ("components", "fraction", "attention mass", "decision becomes")
    table = new_table("Erased until the decision flips", "ranking", *headings)
    for ranking in explanation.rankings:
        table.add_row(*_explained_row(ranking, explanation.components, _inside(explanation)))
    return table


def _explained_row(ranking: "RankingExplained", components: int, inside: bool) -> tuple[str, ...]:
    name = NAMES.get(ranking.ranking, ranking.ranking)
    if ranking.removed is None or ranking.mass is None:
        return name, NEVER, NONE, NONE, "does not flip"
    becomes = ranking.becomes or ""
    if ranking.draws is not None:
        becomes = f"(mean over the {ranking.draws[0]} of {ranking.draws[1]} draws that flip)"
    nothing_left = "no attention left" if inside else "by the bias alone"
    bias = f" ({nothing_left})" if ranking.outcome == "bias_only" else ""
    numbers = (_count(ranking.removed), f"{ranking.removed / components:.3f}", f"{ranking.mass:.3f}")
    return name, *numbers, becomes + bias


def _count(number: float) -> str:
    return f"{number:.0f}" if number == int(number) else f"{number:.1f}"
