"""Splits a text into sentences.

This module is pushed as remote code: it imports sentencex alone, which flat models can do without.
"""

from typing import Any

try:
    import sentencex
except ImportError:
    sentencex = None

_library: Any = sentencex  # compiled: it declares no names


def sentence_spans(text: str, language: str = "en") -> list[tuple[int, int]]:
    """Return where each sentence begins and ends, in code points; the spans add up to the whole text.

    White space belongs to the sentence before it; a paragraph break may be a span of its own. A text without any
    sentence end is one sentence, the empty text has none.

    Args:
        text: Any text.
        language: ISO 639 code; sentencex takes the rules of the nearest language that it knows.

    Raises:
        ImportError: sentencex is not installed.
    """
    if _library is None:
        raise ImportError("this model reads documents sentence by sentence and needs sentencex: pip install sentencex")
    ends = [boundary["end_index"] for boundary in _library.get_sentence_boundaries(language, text)]
    ends = sorted({end for end in ends if 0 < end < len(text)} | ({len(text)} if text else set()))
    return list(zip([0, *ends[:-1]], ends, strict=True)) if ends else []
