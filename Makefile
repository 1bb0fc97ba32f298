# What one does with this repository; `make help` lists it.
# `make run` and `make test` work in a fresh clone: scripts/setup.sh makes .venv first.

PYTHON ?=#          the interpreter that .venv is made with; empty: python3.11, else python3
JOBS ?= 2#          how many tests run at once
MINUTES ?=#         how long `make starter` trains; empty: its whole recipe
PROCESSES ?= 1#     how many processes, with a device each, `make starter` trains in
FILES ?= 10000#     how many damaged files `make fuzz` opens
SEED ?= 1#          how it damages them: each number does it otherwise
KILLS ?= 200#       how often `make torture` kills a command
ORACLE ?=#          a Python that has fastai, for `make parity` and `make bench`; empty: .venv-oracle is made

VENV := .venv
BIN := $(VENV)/bin
# Empty files that say what .venv is ready for.
READY_RUN := $(VENV)/ready-run
READY_TEST := $(VENV)/ready-test
READY_E2E := $(VENV)/ready-e2e
READY_ORACLE := .venv-oracle/ready
RECIPE_OF_VENV := pyproject.toml constraints.txt scripts/setup.sh
SETUP := PYTHON='$(PYTHON)' scripts/setup.sh
# Tests open their windows in memory; each of the parallel test processes computes in one thread.
TEST_ENV := QT_QPA_PLATFORM=offscreen OMP_NUM_THREADS=1
# What fastai answers, made anew; at the published size it takes a gigabyte while it is compared.
ANSWERS := build/parity
# The scripts of benchmarks/ that `make bench` runs; the others are their parts, or need what it does not have.
STUDIES := train_lm profile_step learn_lm flat read_all tokenise predict whole_corpus transfer ablation low_shot
# A row for each kill of `make torture`.
KILLED := build/torture.jsonl
DATA := $(wildcard $(or $(ULMFIT_DATA),../shared/data))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test lint screenshots bench starter e2e torture faults fuzz parity audit dist dist-test clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY_RUN) ## Open the window on the sample project (without a display: train it in the terminal)
	@scripts/run.sh

test: lint ## Run every check: lint, types, import contracts, tests
	$(TEST_ENV) $(BIN)/pytest -n $(JOBS) --dist loadfile

lint: $(READY_TEST) ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

screenshots: $(READY_RUN) ## Draw docs/screenshots anew
	$(BIN)/python scripts/screenshots.py

bench: $(READY_RUN) $(if $(ORACLE),,$(READY_ORACLE)) ## Compare with fastai and run the studies (takes many hours)
	@set -e; for name in $(STUDIES); do \
		echo "== $$name"; ORACLE='$(ORACLE)' $(BIN)/python benchmarks/$$name.py; done

starter: $(READY_RUN) ## Train the English starter anew, by a recipe for the device here (hours, or MINUTES=90)
	$(BIN)/$(if $(filter-out 1,$(PROCESSES)),torchrun --standalone --nproc-per-node $(PROCESSES),python) \
		benchmarks/starter.py $(if $(MINUTES),--minutes $(MINUTES))

e2e: $(READY_TEST) $(READY_E2E) ## Drive the real window by mouse and keyboard under Xvfb
	@set -e; for file in tests/e2e/test_*.py; do $(BIN)/pytest -m e2e $$file; done

torture: $(READY_TEST) ## Kill the program at KILLS random moments, and its window at 20 where Xvfb is (a quarter of an hour)
	@rm -f $(KILLED)
	@$(TEST_ENV) ULMFIT_TORTURE_OUT=$(KILLED) ULMFIT_TORTURE_KILLS=$(KILLS) $(BIN)/pytest -m torture -n $(JOBS) \
		tests/crash tests/e2e/test_killed_while_training.py; status=$$?; \
		$(BIN)/python -m tests.crash.summary $(KILLED); exit $$status

faults: $(READY_TEST) ## Let every single write of a training fail, in the program and in the system (ten minutes)
	$(TEST_ENV) $(BIN)/pytest -m torture tests/faults

fuzz: $(READY_TEST) ## Open FILES damaged files as the program does; goes on with build/fuzz-SEED.jsonl (half an hour)
	$(TEST_ENV) $(BIN)/python -m tests.hostile.fuzz --count $(FILES) --seed $(SEED) --rows build/fuzz-$(SEED).jsonl

parity: $(READY_TEST) $(if $(ORACLE),,$(READY_ORACLE)) ## Compare the arithmetic with fastai's; rewrite docs/parity.md
	$(or $(ORACLE),.venv-oracle/bin/python) tests/parity/record.py $(ANSWERS) --real $(DATA:%=--data %)
	$(BIN)/python -m tests.parity.measure $(ANSWERS) --write $(DATA:%=--data %)
	rm $(ANSWERS)/real-*.safetensors
	$(TEST_ENV) $(BIN)/python -m tests.parity.mutate --write
	$(TEST_ENV) $(BIN)/pytest tests/parity

audit: $(READY_TEST) ## Compare what is installed with constraints.txt; look up known vulnerabilities
	$(BIN)/python scripts/audit.py

dist: $(READY_TEST) ## Build the wheel and the source distribution into dist/
	$(BIN)/python scripts/dist.py

dist-test: $(READY_TEST) ## Install the wheel into an empty environment; run sample and window from another folder
	$(TEST_ENV) $(BIN)/pytest -m 'dist or not dist' tests/test_dist.py

clean: ## Remove build outputs and caches (.venv and .venv-oracle stay)
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path './$(VENV)' -prune -o -name __pycache__ -prune -exec rm -rf {} +

$(READY_RUN): $(RECIPE_OF_VENV)
	@$(SETUP) run
	@touch $@

$(READY_TEST): $(RECIPE_OF_VENV)
	@$(SETUP) test
	@touch $(READY_RUN) $@

$(READY_ORACLE): constraints.txt scripts/setup.sh
	@$(SETUP) oracle
	@touch $@

$(READY_E2E): $(READY_TEST)
	@$(SETUP) e2e
	@touch $@
