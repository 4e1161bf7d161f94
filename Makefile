# `make demo` and `make test` each work alone after a clone: they need Python 3.11, make and a
# package index, and make everything else in .venv. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
QUIET := --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed
BENCH_INSTALLED := $(VENV)/.bench-installed

# What decides what leaves, and what of it is proven: nothing in these may go untested.
PURE := catalogue policy warrant allowlist minimize kinds ledger report
comma := ,
empty :=
space := $(empty) $(empty)
PURE_FILES := $(subst $(space),$(comma),$(PURE:%=src/withhold/%/*) src/withhold/canonical.py)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## What a newcomer runs

.PHONY: demo
demo: $(INSTALLED) ## everything on one machine, with sample stores (ONCE=1: print and end)
	@$(BIN)/withhold demo $(if $(filter-out 0,$(ONCE)),--once)

.PHONY: test
test: $(INSTALLED) ## the tests
	$(BIN)/python -m pytest

## What must hold before a change is in

.PHONY: check
check: lint types layers coverage ## every gate: style, types, layers, tests with their coverage

.PHONY: lint
lint: $(INSTALLED) ## style and form
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: types
types: $(INSTALLED) ## types, of the tests too
	$(BIN)/mypy

.PHONY: layers
layers: $(INSTALLED) ## who may import whom
	$(BIN)/lint-imports --no-logo

.PHONY: coverage
coverage: $(INSTALLED) ## the tests, and that they reach what they must
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	$(BIN)/coverage report --include='$(PURE_FILES)' --fail-under=100

## What takes longer or needs more

.PHONY: test-deep
test-deep: $(INSTALLED) ## the same properties with many more examples, and the slow tests
	$(BIN)/python -m pytest -m 'not synapse and not published' --hypothesis-profile=deep

.PHONY: test-published
test-published: $(INSTALLED) ## others' published tests: of proofs (TESTDATA=…/merkle/testdata), of answers (LLHTTP=…/llhttp/test/response)
	@test -d '$(TESTDATA)/inclusion' || test -f '$(LLHTTP)/sample.md' || { \
		echo 'error: there are no published tests in `$(TESTDATA)` or `$(LLHTTP)`' >&2; \
		echo 'hint: clone transparency-dev/merkle, and: make test-published TESTDATA=merkle/testdata' >&2; \
		echo 'hint: clone nodejs/llhttp, and: make test-published LLHTTP=llhttp/test/response' >&2; exit 1; }
	@test -z '$(TESTDATA)' || WITHHOLD_MERKLE_TESTDATA='$(abspath $(TESTDATA))' \
		$(BIN)/python -m pytest -m published tests/ledger
	@test -z '$(LLHTTP)' || WITHHOLD_LLHTTP_TESTDATA='$(abspath $(LLHTTP))' \
		$(BIN)/python -m pytest -m published tests/adapters/test_framing_published.py

.PHONY: test-synapse
test-synapse: $(INSTALLED) ## the tests against a Synapse homeserver, which they install
	$(BIN)/python -m pytest -m synapse tests/synapse

.PHONY: test-wheel
test-wheel: $(INSTALLED) ## what a deployment installs, the wheel and its lock, lacks nothing
	rm -rf dist $(VENV)-wheel
	$(BIN)/python -m pip wheel $(QUIET) --no-deps --no-build-isolation --wheel-dir dist .
	$(PYTHON) -m venv $(VENV)-wheel
	$(VENV)-wheel/bin/pip install $(QUIET) --require-hashes -r requirements.lock
	$(VENV)-wheel/bin/pip install $(QUIET) --no-deps dist/*.whl
	$(VENV)-wheel/bin/pip check
	cd dist && ../$(VENV)-wheel/bin/python -I -c "$$IMPORT_ALL" && ../$(VENV)-wheel/bin/withhold --help

define IMPORT_ALL
import importlib, pkgutil, withhold
for module in pkgutil.walk_packages(withhold.__path__, 'withhold.'):
    if not module.name.endswith('.__main__'):
        importlib.import_module(module.name)
endef
export IMPORT_ALL

.PHONY: bench
bench: $(BENCH_INSTALLED) ## the benchmarks, under ten minutes (BENCH='--record', '--quick kernel'…)
	$(BIN)/python -m benchmarks $(BENCH)

.PHONY: bench-peers
bench-peers: $(VENV)-peers/.installed ## what the benchmarks compare with, beside nginx, which Debian has

$(BENCH_INSTALLED): benchmarks/bench.lock $(INSTALLED)
	$(BIN)/python -m pip install $(QUIET) --require-hashes -r benchmarks/bench.lock
	@touch $@

$(VENV)-peers/.installed: benchmarks/peers.lock
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/pip install $(QUIET) --require-hashes -r benchmarks/peers.lock
	@touch $@

.PHONY: lock
lock: | $(BIN)/python ## resolve the locks anew (UPGRADE=1: to the newest releases)
	test -x $(VENV)-lock/bin/uv || $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install $(QUIET) uv==$(UV)
	$(COMPILE) --group dev -o requirements-dev.lock pyproject.toml
	$(COMPILE) --extra postgresql -c requirements-dev.lock -o requirements.lock pyproject.toml
	$(COMPILE) -c requirements-dev.lock --group bench -o benchmarks/bench.lock
	$(COMPILE) --group peers -o benchmarks/peers.lock

UV := 0.13.9
# For every platform and each Python from 3.11; an index is nobody's business but the user's.
COMPILE = $(VENV)-lock/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --no-annotate --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## remove what make and the tools made
	rm -rf $(VENV) $(VENV)-* dist .coverage .coverage.* .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -exec rm -rf {} + 2>/dev/null || true

## The virtual environment

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'error: `$(PYTHON)` is not Python 3.11 or newer' >&2; \
		echo 'hint: name one that is, as in: make $(or $(MAKECMDGOALS),test) PYTHON=python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo 'error: `$(PYTHON)` cannot make virtual environments' >&2; \
		echo 'hint: on Debian, install the package python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): requirements-dev.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install $(QUIET) --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install $(QUIET) --no-deps --no-build-isolation -e .
	@touch $@
