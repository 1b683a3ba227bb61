"""``python -m eraserhead``, which `accelerate launch -q -m eraserhead` runs."""

import sys

from eraserhead.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
