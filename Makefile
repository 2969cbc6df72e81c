# Two commands set everything up on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# What the test suite runs for real; comet has an environment of its own (test-comet), vllm too.
TEST_EXTRAS := hf,alpaca-eval,lm-eval,train,sat,test,dev

.PHONY: demo test lint format clean

demo: $(VENV)/.base
	$(BIN)/xl-suite demo --out demo-out

test: $(VENV)/.full
	$(BIN)/python -m pytest -n 2 --dist worksteal $(TESTS)

lint: $(VENV)/.full
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.full
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.base: setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.full: $(VENV)/.base
	@echo "Installing what the tests use (torch, transformers, trl, lm-eval, alpaca-eval): a few minutes, once."
	$(PIP) --editable ".[$(TEST_EXTRAS)]"
	touch $@

clean:
	rm -rf $(VENV) .venv-comet demo-out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
