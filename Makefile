# Two commands need nothing but Python 3.11 and pip: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUN    := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev
.DEFAULT_GOAL := help
.PHONY: help demo test chaos check docs pictures bench bench-detection bench-causes bench-localise bench-recovery bench-quiet bench-ablation bench-series bench-feedback faults lock clean
.DELETE_ON_ERROR:

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# Each stamp is touched last, so that an interrupted installation is repeated.
$(RUN): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Recoup needs Python 3.11 to 3.13; set PYTHON=...")'
	@test -x $(BIN)/python || { echo "Making $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@test -e $(DEV) || { echo "Installing Recoup into $(VENV): several hundred MB the first time, a minute or two ..."; \
	  $(PIP) install --require-hashes -r requirements.lock; }
	@$(PIP) install --no-deps -e .
	@touch $@

$(DEV): pyproject.toml requirements.lock requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Recoup needs Python 3.11 to 3.13; set PYTHON=...")'
	@test -x $(BIN)/python || { echo "Making $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing Recoup and its test tools into $(VENV): about 1 GB the first time, two minutes ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps -e .
	@touch $@ $(RUN)

demo: $(RUN) ## break a shop, watch Recoup find and repair it (ARGS=--auto-approve to watch hands-free)
	@$(BIN)/recoup demo $(ARGS)

test: $(DEV) ## the everyday suite
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not chaos" $(ARGS)

chaos: $(DEV) ## the roles, and serve with all of them, killed 50 times under load on each back end; half an hour
	$(BIN)/python -m pytest -q -s -m chaos tests/chaos $(ARGS)

check: $(DEV) ## format, lint, types, import contracts
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

docs: $(DEV) ## the documentation as a site in out/docs; fails on a link that leads nowhere
	$(BIN)/python -m mkdocs build --strict

pictures: $(DEV) ## the pictures of docs/images, from a made shop in a real browser
	$(BIN)/python -m tests.pages.taking_pictures $(ARGS)

bench: $(DEV) ## what the full path costs, as ratios measured side by side; one JSON line a figure
	@$(BIN)/python tests/benchmarks/bench.py $(ARGS)

bench-detection: $(DEV) ## recall, delay over the bound, false alarms, causes, on shops made for it (ARGS="--seeds 1-3")
	@$(BIN)/python -m recoup.demo.world table $(ARGS)

bench-causes: $(DEV) ## right causes, odds, ablation, coverage, from incidents kept in out/ranked (a minute of CPU each)
	@$(BIN)/python -m recoup.demo.world collect --out out/ranked $(ARGS)
	@$(BIN)/python -m recoup.demo.world causes out/ranked

bench-localise: $(DEV) ## F1 and time of the root search on generated tables of leaves
	@$(BIN)/python tests/benchmarks/leaf_tables.py $(ARGS)

bench-recovery: $(DEV) ## how often "recovered" is wrong, on simulated shops (ARGS="--runs 1000")
	@$(BIN)/python -m tests.benchmarks.recoveries $(ARGS)

bench-quiet: $(DEV) ## run lengths on A/A data: the sequential test alone, then the engine on quiet shops; 15 minutes
	@$(BIN)/python -m tests.benchmarks.run_lengths $(ARGS)

bench-ablation: $(DEV) ## what each part of detection contributes, on twelve shops; kept in out/ablation, an hour
	@$(BIN)/python -m tests.benchmarks.ablation $(ARGS)

bench-series: $(DEV) ## the standard profile of recoup series and of published detectors, on made corpora
	@$(BIN)/python -m tests.benchmarks.series_scores $(ARGS)

bench-feedback: $(DEV) ## what labels of false alarms are worth on days not seen (ARGS="--seeds 1-5")
	@$(BIN)/python -m tests.benchmarks.false_alarms $(ARGS)

faults: $(DEV) ## kill worker, server and database, and lose the server's data, at every step of the response; about fifteen minutes
	$(BIN)/python -m pytest -q -m chaos tests/faults $(ARGS)

lock: $(DEV) ## resolve the ranges of pyproject.toml into the two hashed locks
	$(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras -o requirements.lock pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

clean: ## remove what was made here, except data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dist build out
