"""What is said of one document: its decision, its words, and what each ranking must erase to flip the decision."""

from dataclasses import dataclass, field

from eraserhead.explanation.decision_numbers import DecisionNumbers
from eraserhead.explanation.page import explanation_page
from eraserhead.loading.setup import SiteSetup
from eraserhead.method.names import YARDSTICKS
from eraserhead.showing.notebook import fragment, framed_page, grid, paragraph
from eraserhead.showing.terminal import NONE

NEVER = "never"


@dataclass(frozen=True)
class Word:
    """One component: a word, a token or a sentence; or one that covers no text, such as [CLS].

    Attributes:
        name: As it is written in the text; the component itself where it covers no text.
        start: Offset of its first character in the text; equal to `end` where it covers no text.
        end: Offset after its last character.
        attention: Its weight, of a word or a sentence the sum of its tokens'.
        gradient: ``a_i d p_c / d a_i``, likewise.
        erased: Whether it belongs to the smallest flipping set.
    """

    name: str
    start: int
    end: int
    attention: float
    gradient: float
    erased: bool


@dataclass(frozen=True)
class RankingExplained:
    """What must be erased along one ranking until the decision flips.

    Attributes:
        ranking: Its name; for `random`, numbers are means over the draws that flip.
        removed: Components erased at the first flip; null where nothing flips.
        mass: Their share of the attention; null where nothing flips.
        outcome: `flip`, `bias_only` or `never`; for `random` the most frequent one among the draws.
        becomes: Class decided for after the flip; null where nothing flips, and for `random`.
        draws: For `random` only: how many draws flip, and how many there are.
    """

    ranking: str
    removed: float | None
    mass: float | None
    outcome: str
    becomes: str | None
    draws: tuple[int, int] | None = None


@dataclass(frozen=True, repr=False)
class Explanation:
    """One decision and what it rests on.

    Attributes:
        text: The cleaned text.
        label: Name of the gold class, where it is known; of `target`, ``on`` or ``off``.
        decision: Name of the class decided for; of `target`, ``on`` or ``off``.
        probabilities: Probability of every class, by class name; of `target`, of ``on`` and ``off``.
        words: The components in reading order: words, or the tokens or sentences that `site` names.
        rankings: What must be erased along each ranking.
        components: Number of components.
        truncated_tokens: Tokens beyond the model's limits, which it did not see.
        site: Where weights are erased, and which weights.
        inside: The words of each sentence with their attention within it, of a model that attends over sentences.
        second: Offset in the text at which the second of a pair begins, after a newline; null for one text.
        target: The label whose state is the decision, of a model that decides label by label; null for other models.
        on: All labels that are on, of such a model.
        model: Folder or hub id of the model; null where it is not known.
        numbers: The same decision in numbers: what a page of it shows.
    """

    text: str
    label: str | None
    decision: str
    probabilities: dict[str, float]
    words: list[Word]
    rankings: list[RankingExplained]
    components: int
    truncated_tokens: int
    site: SiteSetup
    inside: list[list[Word]] | None = None
    second: int | None = None
    target: str | None = None
    on: tuple[str, ...] = ()
    model: str | None = None
    numbers: DecisionNumbers | None = field(default=None, compare=False, repr=False)

    def page(self) -> str:
        """Return a page of HTML on which one erases words of the text by hand, such as for an iframe's ``srcdoc``.

        It asks nothing of any server.

        Raises:
            UserError: The explanation has no `numbers`, as one has that `explain` did not make.
        """
        return explanation_page(self)

    def __repr__(self) -> str:
        share = self.probabilities[self.decision]
        least = next((each for each in self.rankings if each.ranking in YARDSTICKS and each.removed is not None), None)
        flips = f"{least.ranking} erases {least.removed:g} to flip it" if least else "nothing found flips it"
        return f"Explanation({self.decision} ({share:.3f}), {self.components} {self.site.components}; {flips})"

    def _repr_html_(self) -> str:
        said = f"decision: {self.decision} ({self.probabilities[self.decision]:.3f})"
        if self.numbers is not None:
            return fragment([framed_page(self.page(), said)])
        rows = [
            (each.ranking, NEVER if each.removed is None else f"{each.removed:g}", each.becomes or NONE)
            for each in self.rankings
        ]
        unit = self.site.components
        table = grid(
            f"Erased until the decision flips, of {self.components} {unit}", ("ranking", unit, "becomes"), rows
        )
        return fragment([paragraph(said, bold=True), paragraph(self.text), table])
