# The two commands of the README, and what developers type between them.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= demo
DIR ?=
# Tests of the training need torch: in CI always, elsewhere where the virtual environment has it or WITH_TORCH=1.
WITH_TORCH ?= $(if $(filter true,$(CI)),1,$(shell $(BIN)/python -c 'import torch; print(1)' 2>/dev/null))
EXTRAS = dev,bench$(if $(WITH_TORCH),$(comma)train)
comma = ,
# Without torch mypy cannot judge the modules that are built on it.
MYPY = $(BIN)/mypy $(if $(WITH_TORCH),,--follow-imports silent -p engine -p api -p cli -p benchmarks)
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run demo test check format install

## A server with a demo user, channel and pictures (DIR=FOLDER: yours), and a curl line that gets an answer.
run: install
	$(BIN)/obverse demo --out $(DEMO) $(if $(DIR),--pictures "$(DIR)") --serve

## The same without a server.
demo: install
	$(BIN)/obverse demo --out $(DEMO) $(if $(DIR),--pictures "$(DIR)")

## Install what the tests need, then check.
test: $(BIN)/python
	$(INSTALL) --editable '.[$(EXTRAS)]'
	$(MAKE) check

## Format, lints, types, tests: the one check, the same for people and for CI.
check:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MYPY)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable .
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
