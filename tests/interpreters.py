"""Code that must run in an interpreter of its own, since imports and their order are what is tested."""

import subprocess
import sys


def fresh_interpreter(
    code: str, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def label_by_pipeline(folder: str, text: str, first: str) -> subprocess.CompletedProcess[str]:
    """Print the label that transformers' pipeline gives `text`, with `first` of the two packages imported first."""
    second = "eraserhead" if first == "transformers" else "transformers"
    return fresh_interpreter(
        f"import {first}, {second}; from transformers import pipeline; "
        f"print(pipeline('text-classification', model={folder!r})({text!r})[0]['label'])"
    )
