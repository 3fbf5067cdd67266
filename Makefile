# make setup       prepare .venv (about 2 minutes where a wheel of onedl-mmcv is at hand, else
#                  about 12 more to compile it)
# make quickstart  set up, then train, evaluate and log a small detector on generated scenes
# make quickstart-segmentation   the same with a small segmentor
# make test        set up, then run the whole test suite, its files in up to four processes
# make lint        set up, then ruff and mypy
# make docs        set up, then build the documentation into site/ (.venv/bin/mkdocs serve shows it)
# make bench       set up, then time everything beside ResNet-152, in short (about 9 minutes on two
#                  free cores); tables and plots in work_dirs/bench
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# One process more than cores: tests often wait for the tools that they start.
WORKERS = $(shell $(BIN)/python -c 'import os; print(min(os.cpu_count() + 1, 4))')
WORK_DIR_OPTION = $(if $(WORK_DIR),--work-dir "$(WORK_DIR)")

.PHONY: setup quickstart quickstart-segmentation test lint docs bench clean
.DELETE_ON_ERROR:

setup: $(STAMP)

# Written last: an interrupted set-up has no stamp and is repaired by running it again.
$(STAMP): requirements/constraints.txt setup.py tools/setup_venv.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" bash tools/setup_venv.sh
	touch $@

quickstart: $(STAMP)
	$(BIN)/python tools/quickstart.py $(WORK_DIR_OPTION)

quickstart-segmentation: $(STAMP)
	$(BIN)/python tools/quickstart.py segmentation $(WORK_DIR_OPTION)

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(STAMP)
	$(BIN)/python benchmarks/bench_backbone.py --rounds 9
	$(BIN)/python benchmarks/bench_backbone.py --input 600x800 --rounds 3 --out work_dirs/bench/backbone-600x800
	$(BIN)/python benchmarks/bench_batch.py --rounds 5
	$(BIN)/python benchmarks/bench_parts.py --rounds 3
	$(BIN)/python benchmarks/bench_memory.py --runs 1
	$(BIN)/python benchmarks/bench_training.py --rounds 3
	$(BIN)/python benchmarks/bench_detector.py --iterations 1 36 --rounds 2

clean:
	rm -rf $(VENV) build dist site *.egg-info
