# Everything runs in .venv, which is made from constraints.txt on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/demo
WORKERS ?= auto
ON_EVERY_CORE := --numprocesses $(WORKERS) --dist worksteal
SOURCES := src tests examples docs
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: help demo test quick thorough lint check audit docs bench clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
		printf 'make %-8s %s\n' "$$target" "$$text"; done

demo: $(VENV)/demo  ## train and erase on the built-in corpus with the packaged encoder
	rm -rf $(RUN)
	$(BIN)/eraserhead train --config configs/demo.yaml --output_dir $(RUN)
	$(BIN)/eraserhead erase $(RUN) --output_dir $(RUN)/erasure
	$(BIN)/eraserhead explain $(RUN) --id test/0
	$(BIN)/eraserhead explore $(RUN)/erasure
	@echo "model in $(RUN), erasure results in $(RUN)/erasure: \`$(BIN)/eraserhead show $(RUN)\` prints them again"
	@echo "open $(RUN)/erasure/page.html in a browser, and erase words by hand"

test: $(VENV)/dev  ## the tests, on every core
	$(BIN)/python -m pytest $(ON_EVERY_CORE) -m "not thorough"

thorough: $(VENV)/dev  ## all tests, also those that repeat at length what others cover
	$(BIN)/python -m pytest $(ON_EVERY_CORE)

quick: $(VENV)/dev  ## the tests that are neither slow nor speak to a hub
	$(BIN)/python -m pytest $(ON_EVERY_CORE) -m "not slow and not hub and not thorough"

lint: $(VENV)/dev  ## style, types and the order of the rooms
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/basedpyright
	$(BIN)/lint-imports

check: lint test  ## lint and test: what CI runs, together with demo

audit: $(VENV)/audit  ## look the pinned packages up in the advisory database, where it can be reached
	@$(PYTHON) .ci/audit.py $(VENV)/audit/bin/pip-audit constraints.txt

docs: $(VENV)/dev  ## write the generated parts of README.md, docs/ and its pictures again
	$(BIN)/python docs/generate.py

bench: $(VENV)/dev  ## measure speed and memory, as docs/results-and-speed.md reports them, into bench.json
	$(BIN)/python tests/benchmarks/bench.py --json bench.json

clean:  ## remove the environment and what tools cache; runs/ is yours and stays
	rm -rf $(VENV) bench.json build dist .pytest_cache .ruff_cache

$(VENV)/demo: pyproject.toml constraints.txt
	@echo "installing eraserhead and its demonstration into $(VENV) (about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo]'
	touch $@

$(VENV)/dev: pyproject.toml constraints.txt
	@echo "installing eraserhead and its tools into $(VENV) (about two minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/demo

$(VENV)/audit:
	@$(PYTHON) -m venv $@
	@$@/bin/python -m pip install --quiet 'pip-audit>=2.9,<3' || echo "audit: pip-audit cannot be installed from here"
