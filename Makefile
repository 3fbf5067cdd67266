# make setup       prepare .venv (about 2 minutes where a wheel of onedl-mmcv is at hand, else
#                  about 12 more to compile it)
# make quickstart  set up, then train, evaluate and log a small detector on generated scenes
# make quickstart-segmentation   the same with a small segmentor
# make test        set up, then run the whole test suite
# make lint        set up, then ruff and mypy
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
WORK_DIR_OPTION = $(if $(WORK_DIR),--work-dir "$(WORK_DIR)")

.PHONY: setup quickstart quickstart-segmentation test lint clean
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
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info
