"""Every module can be imported first: alone, and after the libraries that it stands on."""

import subprocess
import sys
from pathlib import Path

import pytest

import eraserhead

ROOT = Path(str(eraserhead.__file__)).parent
MODULES = sorted(
    ".".join(["eraserhead", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if path.name != "__main__.py"  # runs the command line
)
LIBRARIES = (
    *("torch", "transformers", "transformers.pipelines", "transformers.models.auto.modeling_auto", "datasets"),
    *("accelerate", "pandas", "evaluate", "matplotlib.pyplot", "rich.console", "jinja2", "jsonargparse"),
)
# Imports the libraries once, and then each module in a process of its own that knows none of ours yet.
FORK_EACH = """
import importlib, os, sys, traceback
libraries, modules = (argument.split(",") for argument in sys.argv[1:])
for library in filter(None, libraries):
    importlib.import_module(library)
assert "eraserhead" not in sys.modules
for module in modules:
    child = os.fork()
    if not child:
        try:
            importlib.import_module(module)
        except BaseException as error:
            print(f"{module}: {type(error).__name__}: {error}", flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        print(f"{module}: status {status}", flush=True)
"""


def failures(libraries, modules) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FORK_EACH, ",".join(libraries), ",".join(modules)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rooms(*names: str) -> list[str]:
    return [module for module in MODULES if module.split(".")[1:2] and module.split(".")[1] in names]


@pytest.mark.thorough
def test_every_module_can_be_imported_first_where_its_libraries_are_loaded():
    assert len(MODULES) > 100
    assert failures(LIBRARIES, MODULES) == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "eraserhead.models.encoders",
        "eraserhead.models.pipeline_attention_pooling",
        "eraserhead.patch.interface",
        "eraserhead.sites.words",
    ],
)
def test_a_module_can_be_imported_first_in_a_fresh_interpreter(module):
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


@pytest.mark.thorough
def test_modules_beside_transformers_can_be_imported_before_it():
    """Where transformers' own imports run in the middle of ours, in every order that there is."""
    assert failures(["torch"], rooms("models", "patch", "sites", "loading", "data")) == ""


def test_a_module_that_cannot_be_imported_is_seen():
    assert "eraserhead.nowhere: ModuleNotFoundError" in failures([], ["eraserhead.nowhere"])
