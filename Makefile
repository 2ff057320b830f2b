# Every target works from a bare clone with Python 3.11 or newer. CI calls these and nothing else.
PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
READY := .venv/.ready
COMPILE := $(BIN)/uv pip compile --quiet --universal --no-strip-extras --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help venv demo test crash lint format types bench compliance requirements

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(READY)  ## Build .venv from the hash-pinned requirements

# The stamp is written last, so that an interrupted build starts again.
$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY)  ## Start an archive on this machine and take a guided tour (Ctrl-C ends it)
	$(BIN)/pacs-secure quickstart --data .demo --tour

test: $(READY)  ## Run every test, with full branch coverage of core, crypto and archive
	$(BIN)/pytest -n $(JOBS) --dist loadfile --cov --cov-report=term --cov-fail-under=100

ROUNDS ?= 5
crash: $(READY)  ## Meet every fault at every step, ROUNDS times, and prove after each that nothing is lost
	CRASH_ROUNDS=$(ROUNDS) $(BIN)/pytest -n 0 tests/security/test_crash.py --durations=0

lint: $(READY)  ## Check style and which ring imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(READY)  ## Put the code into its one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(READY)  ## Check the types, strictly
	$(BIN)/mypy

bench: $(READY)  ## Measure against Orthanc, side by side, and keep the result
	$(BIN)/python -m benchmarks.run

compliance: $(READY)  ## Show every control with its scenarios and how they came out
	$(BIN)/pytest tests/bdd tests/architecture --compliance --quiet

requirements:  ## Pin the newest versions that pyproject.toml allows
	$(COMPILE) --upgrade pyproject.toml -o requirements/runtime.txt
	$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(COMPILE) --upgrade --all-extras pyproject.toml - -o requirements/dev.txt
