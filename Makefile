# `make help` lists the targets. Everything runs in a virtual environment of its own, .venv.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help run test test-extras fuzz benchmarks data weights full report lock

PYTHON ?= python3
PROFILE ?= quick
export PROFILE DATA_DIR
export TF_CPP_MIN_LOG_LEVEL = 3
export PIP_DISABLE_PIP_VERSION_CHECK = 1
BIN := .venv/bin
EMOJI20 := data/emoji20
NOTEBOOKS := $(wildcard 0*.ipynb)
ILLUS := $(BIN)/python -m illus
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --custom-compile-command "make lock"
URL := '$(subst ','\'',$(value DATA_URL))'  # for the shell, as it was written, with its dollar signs
LIMITED := $(if $(shell command -v timeout),timeout --foreground --kill-after 30 3600)  # s; macOS has no such command

help:  ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' Makefile | awk -F'|' '{printf "  make %-11s %s\n", $$1, $$2}'

run: .venv/run  ## build emoji20, score it with the shipped weights, run the notebooks (DATA_DIR=... your own data)
	$(ILLUS) run

test: .venv/dev  ## lint, format, types and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(LIMITED) $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --max-worker-restart 1

test-extras: .venv-extras/ready  ## tests with Dask, faiss, JAX, ONNX and LiteRT, as far as they can be installed
	.venv-extras/bin/python -m pytest -m extras -rs
	START_METHOD=spawn .venv-extras/bin/python -m pytest -m "extras or not extras" tests/test_parallel.py \
		tests/test_catalog.py tests/test_evaluate.py tests/extras/test_start_method.py

fuzz: .venv/dev  ## evaluate.py on 10,000 damaged pictures and 2,000 damaged weights files
	$(BIN)/python -m tests.fuzz_evaluate --out results/fuzz.csv

benchmarks: .venv/dev  ## render results/benchmarks.md and the tables of the documents (RUN=name: measure benchmarks/name.py first)
	$(if $(RUN),$(BIN)/python -m pip install --quiet -r benchmarks/requirements.txt)
	$(if $(RUN),$(BIN)/python -m benchmarks.$(RUN))
	$(BIN)/python -m benchmarks.documents

data: .venv/run  ## download and unpack class folders into data/training (DATA_URL=...)
	@test -n $(URL) || { echo "usage: make data DATA_URL=https://... (or file://...)" >&2; exit 2; }
	$(ILLUS) data $(URL)

weights: export PROFILE = full
weights: .venv/run $(if $(DATA_DIR),,$(EMOJI20)/truth.csv)  ## train what is shipped, from nothing (hours; resumes; DATA_DIR=... your own data)
	$(ILLUS) run --recipe

full: export PROFILE = full
full: .venv/run $(if $(DATA_DIR),,$(EMOJI20)/truth.csv)  ## the full profile: execute the notebooks in place, train what results/ lacks (hours)
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace $(NOTEBOOKS)

lock: .venv/run  ## requirements.lock from requirements.txt, requirements-dev.lock from the extras in pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) --generate-hashes requirements.txt -o requirements.lock
	$(LOCK) --no-annotate --constraints requirements.lock --all-extras pyproject.toml -o requirements-dev.lock

report: .venv/run  ## the notebooks and scores as they are, as pages, without running anything
	$(ILLUS) report

$(EMOJI20)/truth.csv: | .venv/run
	$(ILLUS) emoji20

.venv/run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.11 to 3.13 is needed; name one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

.venv/dev: requirements-dev.lock pyproject.toml .venv/run
	$(BIN)/python -m pip install --quiet -c requirements-dev.lock -e ".[dev]"
	@touch $@

.venv-extras/ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) -m venv .venv-extras
	.venv-extras/bin/python -m pip install --quiet -c requirements-dev.lock -e ".[dev]"
	@for extra in dask faiss onnx jax litert; do \
		.venv-extras/bin/python -m pip install --quiet -c requirements-dev.lock -e ".[$$extra]" \
			|| echo "not installed, its tests are skipped: $$extra" >&2; done
	@touch $@
