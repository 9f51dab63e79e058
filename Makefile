# Every command a person or the CI needs. The first use of each sets up what it needs in .venv.
PYTHON ?= python3
BIN := .venv/bin

# One worker more than cores: end-to-end tests wait for processes of their own half of the time, and come first.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count() + 1))')

# Small matrices on few cores: BLAS threads cost far more than they give.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
export DO_NOT_TRACK ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

.PHONY: run up test check bench lock setup setup-dev setup-clients clean

run: setup          ## the main job on the embedded sandbox: backfill, estimate, allocate, publish, verify, a week long
	$(BIN)/stakazo run

up: setup           ## the Dagster UI, its daemon and the sandbox, on loopback
	$(BIN)/stakazo up

test: setup-dev     ## every test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: setup-dev    ## format, lint and types: exactly what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup-dev    ## the benchmarks, one after the other
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

setup: .venv/.run
setup-dev: .venv/.dev
setup-clients: .venv/.clients  ## the platforms' own clients, which tests/clients points at the sandbox

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Stakazo needs Python 3.11 or newer, not %d.%d" % sys.version_info[:2]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

.venv/.run: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.run
	$(BIN)/python -m pip install --quiet -r requirements-dev.lock
	@touch $@

.venv/.clients: requirements-clients.lock .venv/.dev
	$(BIN)/python -m pip install --quiet -r requirements-clients.lock
	@touch $@

lock: setup-dev     ## resolve the pinned versions anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --upgrade \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --upgrade \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header --group dev -c requirements.lock \
	  pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --upgrade \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header --group clients -c requirements-dev.lock \
	  pyproject.toml -o requirements-clients.lock

clean:              ## forget the environment and everything the pipelines stored
	rm -rf .venv .stakazo dbt/target dbt/logs
