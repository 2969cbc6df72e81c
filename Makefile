# Two commands set everything up on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# What the test suite runs for real; comet has an environment of its own (test-comet), vllm too.
TEST_EXTRAS := hf,alpaca-eval,lm-eval,inspect,train,sat,docs,test,dev

.PHONY: demo test fuzz soak test-comet test-browser test-gpu test-scale real real-slice real-bridge real-audit lint docs format clean

demo: $(VENV)/.base
	$(BIN)/xl-suite demo --out demo-out

# One thread a process: two test processes share the cores, and torch's threads would only wait for each other.
test: $(VENV)/.full
	OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python -m pytest -n 2 --dist worksteal $(TESTS)

# Property tests with new random examples, twenty times as many; a failure prints how to repeat it.
fuzz: $(VENV)/.full
	OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python -m pytest -n 2 --dist worksteal -m hypothesis \
		--hypothesis-profile fuzz --timeout 3600 $(TESTS)

# Verbs stopped at random file operations, in several processes, against a bad server, for an hour.
MINUTES ?= 60
soak: $(VENV)/.full
	$(BIN)/xl-suite selftest --minutes $(MINUTES)

# unbabel-comet needs older packages than everything else, so it gets an environment of its own (.venv-comet).
test-comet:
	sh scripts/test_comet.sh

# Ranks on Ray and Slurm (two nodes each, on this machine) and by parsl, with kills, in an environment of its own.
test-scale:
	sh scripts/test_scale.sh

# Needs a Chromium at /usr/bin/chromium or in $$CHROMIUM; it fails without one, since a skipped browser test shows nothing.
# Where npm is, axe-core looks at every page too.
test-browser: $(VENV)/.browser
	if command -v npm > /dev/null; then npm install --silent --no-audit --no-fund --no-save --prefix build/axe axe-core@4.14.1; fi
	$(BIN)/python -m pytest tests/browser

# The tests of training and quality estimation on a GPU; without one it fails, since skipped tests show nothing.
test-gpu: $(VENV)/.full
	$(BIN)/python -c "import torch; assert torch.cuda.is_available(), 'torch sees no GPU here'"
	TOKENIZERS_PARALLELISM=false $(BIN)/python -m pytest tests/xl_instruct/qe tests/xl_instruct/training

# Everything once with real small models out of packages, on two cores in under an hour; docs/real-run.md tells of it.
# Translators of Debian come in where they are installed: apertium-eng-spa apertium-es-pt apertium-eng-cat apertium-por-cat.
# SOURCE and CORPUS are AlpacaEval's prompts and English outputs, which are not part of this repository.
SOURCE ?= ../shared/data/alpaca_eval/alpaca_eval.json
CORPUS ?= ../shared/data/alpaca_eval/results/gpt4_1106_preview/model_outputs.json
real: $(VENV)/.real
	$(BIN)/python scripts/real/run.py --source $(SOURCE) --corpus $(CORPUS)

# Ten prompts in one language, in about a minute.
real-slice: $(VENV)/.real
	$(BIN)/python scripts/real/run.py --slice --out build/real/slice

real-bridge: $(VENV)/.real
	$(BIN)/python scripts/real/bridge.py

real-audit: $(VENV)/.real
	$(BIN)/python scripts/real/audit.py

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
	@echo "Installing what the tests use (torch, transformers, trl, lm-eval, alpaca-eval, inspect_ai): a few minutes, once."
	$(PIP) --editable ".[$(TEST_EXTRAS)]"
	touch $@

$(VENV)/.real: $(VENV)/.full
	$(PIP) --editable ".[real,train]"
	touch $@

$(VENV)/.browser: $(VENV)/.base
	$(PIP) --editable ".[browser,test]"
	touch $@

# The documentation as pages in build/site; a broken link ends it.
docs: $(VENV)/.full
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "open build/site/index.html"

clean:
	rm -rf $(VENV) .venv-comet .venv-scale demo-out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
