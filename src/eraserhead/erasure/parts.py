"""Parts of an analysis for machines that share nothing; standard library only, as in `config`."""

import re
from dataclasses import dataclass

from eraserhead.errors import Setting, UserError

WRITTEN = re.compile(r"([1-9]\d*)/([1-9]\d*)")


@dataclass(frozen=True)
class Part:
    """One of several parts of an analysis.

    Attributes:
        number: Which one, from 1.
        of: How many there are.
    """

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> "Part":
        """Return the part that a text such as ``2/5`` names.

        Raises:
            UserError: It names none.
        """
        found = WRITTEN.fullmatch(text)
        if found is None or int(found[1]) > int(found[2]):
            raise UserError(
                Setting("part", text), ": must be the number of a part, from 1, and how many there are, such as 2/5"
            )
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def folder_suffix(self) -> str:
        """What a default folder's name ends with."""
        return f"-part-{self.number}-of-{self.of}"

    def has(self, shard: int) -> bool:
        """Tell whether a shard belongs to this part."""
        return shard % self.of == self.number - 1
