# `make help` lists the targets. Everything runs in a virtual environment of its own, .venv.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help run test fuzz benchmarks data weights full report own notebooks scores

PYTHON ?= python3
PROFILE ?= quick
export PROFILE DATA_DIR
export TF_CPP_MIN_LOG_LEVEL = 3
export PIP_DISABLE_PIP_VERSION_CHECK = 1
BIN := .venv/bin
WEIGHTS := weights/best.h5
EMOJI20 := data/emoji20
REPORT := work/report$(if $(DATA_DIR),-$(shell basename "$(DATA_DIR)" | tr ' ' '_'))
SCORES := $(REPORT)/test.txt $(REPORT)/test_unseen_style.txt
NOTEBOOKS := $(wildcard 0*.ipynb)
HTML := $(NOTEBOOKS:%.ipynb=$(REPORT)/%.html)
CODE := evaluate.py $(wildcard illus/*.py illus/*/*.py)

help:  ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1|\2/p' Makefile | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(if $(DATA_DIR),own,scores) notebooks  ## build emoji20, score it with the shipped weights, run the notebooks (DATA_DIR=... your own data)
	@test ! -d "$(REPORT)" || { echo; echo "Reports (scores, confusion matrices, notebooks): $(REPORT)/"; }

test: .venv/dev  ## lint, format, types and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

fuzz: .venv/dev  ## evaluate.py on 10,000 damaged pictures and 2,000 damaged weights files
	$(BIN)/python -m tests.fuzz_evaluate --out results/fuzz.csv

benchmarks: .venv/dev  ## render results/benchmarks.md and the tables of the documents (RUN=name: measure benchmarks/name.py first)
	$(if $(RUN),$(BIN)/python -m pip install --quiet -r benchmarks/requirements.txt)
	$(if $(RUN),$(BIN)/python -m benchmarks.$(RUN))
	$(BIN)/python -m benchmarks.documents

data: .venv/run  ## download and unpack class folders into data/training (DATA_URL=...)
	@test -n "$(DATA_URL)" || { echo "usage: make data DATA_URL=https://... (or file://...)" >&2; exit 2; }
	$(BIN)/python -m illus.data.archive "$(DATA_URL)"

weights: export PROFILE = full
weights: .venv/run $(if $(DATA_DIR),,$(EMOJI20)/truth.csv)  ## train what is shipped, from nothing (hours; resumes; DATA_DIR=... your own data)
	$(BIN)/python -m illus.pipeline --recipe

full: export PROFILE = full
full: .venv/run $(if $(DATA_DIR),,$(EMOJI20)/truth.csv)  ## the full profile: execute the notebooks in place, train what results/ lacks (hours)
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace $(NOTEBOOKS)

report: .venv/run  ## the notebooks as they are, as HTML, without running them
	@mkdir -p $(REPORT)
	$(BIN)/jupyter nbconvert --to html --output-dir $(REPORT) $(NOTEBOOKS)

scores: $(SCORES)
	@for file in $(SCORES); do echo; echo "== $$(basename $$file .txt)"; cat $$file; done

own: .venv/run
	$(BIN)/python -m illus.pipeline

notebooks: $(HTML)

$(REPORT)/%.txt: $(WEIGHTS) evaluate.py $(EMOJI20)/truth.csv | .venv/run
	@mkdir -p $(REPORT)
	$(BIN)/python evaluate.py $(EMOJI20)/$* $(WEIGHTS) --json $(REPORT)/$*.json --csv $(REPORT)/$*.csv \
		--figure $(REPORT)/$*.png > $@

$(REPORT)/%.html: %.ipynb $(CODE) | .venv/run
	$(BIN)/jupyter nbconvert --to html --execute --output-dir $(REPORT) $<

$(EMOJI20)/truth.csv: | .venv/run
	$(BIN)/python -m illus.emoji20

.venv/run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.11 to 3.13 is needed; name one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt .venv/run
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@
