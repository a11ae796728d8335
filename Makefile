# make demo: a project from nothing to results.   make test: every test.
# Both make .venv first, with uv where it is installed and with venv and pip otherwise.

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
BOOTSTRAP_PYTHON ?= python3
DEMO ?= build/demo
ifdef PIP_FIND_LINKS
# uv looks for packages where pip was told to look.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif

.PHONY: setup demo test test-combinations test-pythons lint format docs benchmark clean

setup: .venv/.ready ## Make .venv with mlmw and the tools of its development
	@:

.venv/.ready: pyproject.toml
	@echo "Making .venv ..."
	@if command -v uv > /dev/null; then \
	  uv venv --quiet --allow-existing --python $(BOOTSTRAP_PYTHON) .venv && \
	  uv pip install --quiet --compile-bytecode --python .venv -e ".[dev]"; \
	else \
	  $(BOOTSTRAP_PYTHON) -m venv .venv && \
	  $(BIN)/python -m pip install --quiet --quiet -e ".[dev]"; \
	fi
	@touch $@

demo: ## Make a project, set it up, train it, report its results, and tell how long each step took
	@$(BOOTSTRAP_PYTHON) benchmarks/demo.py $(DEMO)

test: setup lint ## Run every test; of combinations, those of two recipes, and of all
	@$(BIN)/python tests/prove.py --pairs
	$(BIN)/python -m pytest -n auto --dist worksteal

test-combinations: setup ## Prove every combination of recipes; FULL=1 without the evidence of earlier runs
	@$(BIN)/python tests/prove.py $(if $(FULL),--full)

test-pythons: setup ## Run the generator's tests on every other Python from 3.11 that is installed
	@$(BIN)/python tests/pythons.py

lint: setup ## Check style and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: setup ## Fix what can be fixed automatically
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

docs: setup ## Build the documentation's site; a link that leads nowhere is an error
	$(BIN)/python -m sphinx -q -nW --keep-going docs build/docs
	@echo "See build/docs/index.html"

benchmark: setup ## Time mlmw new against copier copy
	$(BIN)/python benchmarks/new.py

clean: ## Remove what the other targets made
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
