# On a fresh machine: `make serve` and `make test` need Python >= 3.11 with pip, and nothing else.

PORT ?= 8000
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := .uv/bin/uv
RECIPE ?= ravdess-conv-blstm

# The two sets of packages that an environment may hold; the larger one does for both.
SERVE := $(VENV)/.serve
DEVELOP := $(VENV)/.develop

# What `make bench` compares the service with has pins of its own.
RIVALS := .rivals/.installed

.PHONY: help serve test check format bench train sbom soak docs docs-serve lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

serve: $(SERVE) ## start the service on PORT (8000) with the models in models/
	$(BIN)/undertone serve --port $(PORT)

# pytest's processes fill the cores: threads of BLAS beside them would only wait for each other, busily.
# One that dies ends the run: what it died of would be begun again, by each that takes its place.
test: $(DEVELOP) ## run all tests; those on real recordings where UNDERTONE_DATA names them
	$(BIN)/python -m coverage erase
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 \
		--max-worker-restart 0 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered $(PYTEST)

check: $(DEVELOP) ## lint, types, and known vulnerabilities of the locked packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/audit

format: $(DEVELOP) ## let ruff write what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train: $(DEVELOP) ## cross-validate RECIPE with two seeds, then train and export its model
	$(BIN)/undertone-train crossval $(RECIPE) --seed 0 --seed 1
	$(BIN)/undertone-train fit $(RECIPE)

bench: $(DEVELOP) $(RIVALS) ## measure side by side, for half an hour; writes benchmarks/results/
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.engines
	$(BIN)/python -m benchmarks.turns
	$(BIN)/python -m benchmarks.footprint
	$(BIN)/python -m benchmarks.networks
	$(BIN)/python -m benchmarks.compare
	$(BIN)/python -m benchmarks.length
	$(BIN)/python -m benchmarks.fairness
	$(BIN)/python -m benchmarks.queues
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.page
	$(BIN)/python -m benchmarks.plots

sbom: $(DEVELOP) ## list all that the service consists of, as CycloneDX; writes sbom.json
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--of JSON --output-file sbom.json requirements/service.txt

soak: $(DEVELOP) ## the long trials of PARTS (all): hostile uploads, fuzzing, overload, signals
	$(BIN)/python -m benchmarks.soak $(PARTS)

docs: $(DEVELOP) ## build the pages of docs/ as a site in site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-serve: $(DEVELOP) ## the same on port 8001, built again whenever a page changes
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8001

lock: $(UV) ## compile the requirement files again, with the newest versions that fit
	$(UV) pip compile -q --universal --generate-hashes --upgrade --python-version 3.11 \
		--extra training --extra listen --extra docs --extra dev --extra build pyproject.toml -o requirements/dev.txt
	$(UV) pip compile -q --universal --generate-hashes --python-version 3.11 \
		-c requirements/dev.txt pyproject.toml -o requirements/service.txt
	$(UV) pip compile -q --universal --generate-hashes --python-version 3.11 \
		--extra rivals pyproject.toml -o requirements/rivals.txt
	printf 'editables\nhatchling\n' | $(UV) pip compile -q --universal --generate-hashes \
		--python-version 3.11 -c requirements/dev.txt - -o requirements/build.txt

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) .rivals .uv site .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Undertone needs Python 3.11 or later: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .uv uv

$(BIN)/python: | $(UV)
	$(UV) venv --quiet --python $(PYTHON) $(VENV)

$(SERVE): requirements/service.txt requirements/build.txt pyproject.toml | $(BIN)/python
	$(UV) pip install --python $(BIN)/python --require-hashes --compile-bytecode \
		-r requirements/service.txt -r requirements/build.txt
	$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

$(DEVELOP): requirements/dev.txt pyproject.toml | $(BIN)/python
	$(UV) pip install --python $(BIN)/python --require-hashes --compile-bytecode \
		-r requirements/dev.txt
	$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@ $(SERVE)

$(RIVALS): requirements/rivals.txt | $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) .rivals
	$(UV) pip install --python .rivals/bin/python --require-hashes -r requirements/rivals.txt
	touch $@
