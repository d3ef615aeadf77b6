PYTHON ?= python3.11
SIZE ?= small
DEVICE ?= cuda
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
INSTALLED := $(VENV)/.installed

.PHONY: help demo test test-all check gpu bench reproduce docs docs-figures dist clean

help:  ## Show what there is to make.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(RUNS): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch torchvision
	$(BIN)/python -m pip install --quiet --editable ".[demo]"
	touch $@

$(INSTALLED): $(RUNS)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

demo: $(RUNS)  ## Compare heatmap methods on built-in photographs with a real ImageNet network.
	$(BIN)/heatproof compare builtin --out demo --overwrite --scored 3 \
		--methods lrp-epsilon-gamma-box,gradient-x-input,sensitivity-l2
	@echo "Open demo/report.html"

test: $(INSTALLED)  ## Run the tests, a process on each core with one thread (about 10 minutes on two cores).
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not gpu" --numprocesses auto --dist loadfile

test-all: test  ## Run all tests; the slow ones one after the other, since some use all cores.
	$(BIN)/python -m pytest -m slow

check: $(INSTALLED)  ## Lint, types, import direction, doctests.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q src tests/house

gpu:  ## Test a GPU against the CPU and measure it, in 8 minutes (DEVICE=cpu: a rehearsal); takes torch from PYTHON.
	test -x $(VENV)-gpu/bin/python || $(PYTHON) -m venv --system-site-packages $(VENV)-gpu
	$(VENV)-gpu/bin/python -m pip install --quiet --editable . "pytest>=8.2"
	HEATPROOF_DEVICE=$(DEVICE) timeout 170 $(VENV)-gpu/bin/python -m pytest -q -m gpu tests/gpu
	timeout 290 $(VENV)-gpu/bin/python benchmarks/bench_gpu.py --device $(DEVICE) --seconds 240 \
		$(if $(filter cpu,$(DEVICE)),--small)

bench: $(INSTALLED)  ## Measure what README and docs say of speed (an hour; keep the machine quiet; SHARED=FOLDER).
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	$(BIN)/python benchmarks/bench_incremental.py
	$(BIN)/python benchmarks/bench_lrp.py
	$(BIN)/python benchmarks/bench_first_minute.py $(SHARED)
	test -z "$(SHARED)" || $(BIN)/python benchmarks/bench_settled.py $(SHARED)
	$(BIN)/python benchmarks/pages.py

reproduce: $(INSTALLED)  ## Make the paper's figures and tables again (SIZE=paper for all of it).
	$(BIN)/python -m pip install --quiet --editable ".[reproduce]"
	$(BIN)/python -m reproduce --size $(SIZE)

docs: $(INSTALLED)  ## Build the documentation into site/, and check its links.
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	rm -rf site
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --doctree-dir .doctrees docs site
	$(BIN)/python docs/check_site.py site

docs-figures: $(INSTALLED)  ## Draw the figures of docs/ anew, by running its pages.
	$(BIN)/python docs/run.py docs/why.md

dist: $(INSTALLED)  ## Build the wheel and the source archive into dist/, and check them.
	$(BIN)/python -m pip install --quiet build twine
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

clean:  ## Remove the environment and what was built.
	rm -rf $(VENV) $(VENV)-gpu demo build dist site .doctrees .pytest_cache .mypy_cache .ruff_cache
