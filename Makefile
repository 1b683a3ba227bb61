# Everything runs in .venv, which is made from constraints.txt on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/demo
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: demo test lint check bench clean

demo: $(VENV)/demo  ## train and erase on the built-in corpus with the packaged encoder
	rm -rf $(RUN)
	$(BIN)/eraserhead train --config configs/demo.yaml --output_dir $(RUN)
	$(BIN)/eraserhead erase $(RUN) --output_dir $(RUN)/erasure
	$(BIN)/eraserhead explain $(RUN) --id test/0
	@echo "model in $(RUN), erasure results in $(RUN)/erasure: \`$(BIN)/eraserhead show $(RUN)/erasure\` prints them again"

test: $(VENV)/dev  ## the tests
	$(BIN)/python -m pytest

lint: $(VENV)/dev  ## style, types, floors
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/basedpyright
	$(BIN)/lint-imports

check: lint test  ## what CI runs, with demo

bench: $(VENV)/dev  ## the ratios that the README reports
	$(BIN)/python tests/benchmarks/bench.py --json bench.json

clean:
	rm -rf $(VENV) runs bench.json

$(VENV)/demo: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo]'
	touch $@

$(VENV)/dev: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/demo
