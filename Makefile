# `make` alone does what CI does. Everything lands in .venv; nothing is installed by hand.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
PYTEST_WORKERS ?= auto

# Compiled files are kept, whatever the environment says: else every command would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := test
.PHONY: demo test hunt lint audit bench bench-peers lock clean help

help: ## say what each target does
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "wherefrom needs Python 3.11 or later, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Two steps, because one example package comes as source and is built with the locked build tools.
$(VENV)/.demo: $(VENV)/.created requirements/build.txt requirements/demo.txt pyproject.toml
	@echo "setting up $(VENV) (once, about a minute)"
	$(PIP) install --require-hashes -r requirements/build.txt
	$(PIP) install --require-hashes --no-build-isolation -r requirements/demo.txt
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements/dev.txt
	$(PIP) install --require-hashes --no-build-isolation -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.demo ## real flights, an ordinary pipeline, its lineage, the proof, and four attempts to cheat
	@$(BIN)/python examples/flights/demo.py

test: lint ## what CI runs
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS)

hunt: $(VENV)/.dev ## the property tests on new random cases, each time others
	WHEREFROM_TESTS_PROFILE=default $(BIN)/python -m pytest -n $(PYTEST_WORKERS) tests/property tests/fuzz tests/unit

lint: $(VENV)/.dev ## ruff, mypy --strict, the layers, bandit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r src

audit: $(VENV)/.dev ## ask the vulnerability database about every dependency (needs the network)
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements/dev.txt

bench: $(VENV)/.dev ## print figures, and ratios against peers or limits in the same run
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

$(PEERS)/.created: requirements/bench.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/bench.txt
	@touch $@

bench-peers: $(VENV)/.dev $(PEERS)/.created ## the same for fingerprints, beside what people use today (dvc, mlflow, model-signing, ...)
	$(BIN)/python bench/fingerprints.py files peers --peers $(PEERS)

lock: $(VENV)/.created ## resolve the dependencies again, with hashes and no host names
	$(PIP) install uv
	$(LOCK) requirements/build.in -o requirements/build.txt
	$(LOCK) pyproject.toml --extra examples --group dev -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra examples -c requirements/dev.txt -o requirements/demo.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/core.txt
	$(LOCK) requirements/services.in -c requirements/dev.txt -o requirements/services.txt
	$(LOCK) requirements/bench.in -o requirements/bench.txt

clean: ## remove what was made here, the environment too
	rm -rf $(VENV) $(PEERS) .services build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf examples/flights/{.wherefrom,data,models} examples/flights/*.wherefrom examples/flights/*.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
