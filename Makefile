# Three tests beside each other for two cores: they also wait, for Slurm, a browser, a process to be killed.
# make demo | test | test-fast | test-luck | test-long | lint | site: each sets up .venv first; the pip equivalents stand in README.md.
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-fast test-luck test-long lint site clean

demo: $(INSTALLED)
	$(VENV)/bin/skipx demo

test: $(INSTALLED)
	$(VENV)/bin/python -m pytest -n 3

test-fast: $(INSTALLED)
	$(VENV)/bin/python -m pytest -n 2 -m "not slow"

SEED ?= 1
test-luck: $(INSTALLED)
	$(VENV)/bin/python -m pytest -n 3 --hypothesis-profile=luck --hypothesis-seed=$(SEED)

test-long: $(INSTALLED)
	$(VENV)/bin/python -m pytest -n 3 --hypothesis-profile=long

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

site: $(INSTALLED)
	$(VENV)/bin/mkdocs build --strict

$(INSTALLED): setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) skipx_demo build *.egg-info
