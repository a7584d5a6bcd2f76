# `make` alone lists what there is. Every target sets up .venv by itself from the locked,
# hashed requirements; only Python 3.11 or newer (with venv) and make are needed beforehand.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What `make run` serves: nobody's own data, unless they say so.
run: export SAYSO_DATA ?= out/data
# Whose models are used; the gallery that is photographed is a temporary one.
screenshots: export SAYSO_DATA ?= out/data
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run demo test lint types bench docs screenshots lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.base: requirements/base.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Sayso needs Python 3.11 or newer; set PYTHON=/path/to/python3")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/base.txt
	$(BIN)/python -m pip uninstall -qqq --yes openvino-telemetry # from older environments
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.demo: $(VENV)/.base requirements/demo.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/demo.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/bench.txt
	@touch $@

$(VENV)/.docs: $(VENV)/.dev requirements/docs.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/docs.txt
	@touch $@

$(VENV)/.peers: $(VENV)/.bench requirements/peers.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/peers.txt
	@touch $@

run: $(VENV)/.base ## start the service, with a gallery of its own in out/data, or in SAYSO_DATA
	$(BIN)/sayso serve --sign-in-link

demo: $(VENV)/.demo ## recognise faces: the bundled demonstration, or PICTURES="a.jpg b.jpg"
	$(BIN)/python -m sayso.demo $(PICTURES)

test: $(VENV)/.docs ## run the tests
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev ## check style and the import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(VENV)/.bench $(VENV)/.docs ## check the types, strictly
	$(BIN)/mypy

bench: $(VENV)/.peers ## run every benchmark and write benchmarks/results.md
	$(BIN)/python -m benchmarks

docs: $(VENV)/.docs ## write the generated reference pages, and build the site in out/site
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.site

screenshots: $(VENV)/.docs ## take the pictures of docs/images from the running console (needs Chromium)
	$(BIN)/python -m docs.screenshots

# openvino asks for a package that reports home whenever it is imported, and does without it. So the
# locks leave it out, and are installed with --no-deps: they name all the rest.
LOCK := uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --no-emit-index-url --no-emit-package openvino-telemetry pyproject.toml

lock: ## resolve requirements/*.txt anew (needs uv)
	$(LOCK) --group build -o requirements/base.txt
	$(LOCK) --group build --group demo -c requirements/base.txt -o requirements/demo.txt
	$(LOCK) --group build --group demo --group dev -c requirements/base.txt -o requirements/dev.txt
	$(LOCK) --group build --group demo --group dev --group bench -c requirements/dev.txt -o requirements/bench.txt
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --no-emit-index-url --group docs -c requirements/dev.txt -o requirements/docs.txt
	uv pip compile --quiet --universal --generate-hashes --no-header --no-deps --python-version 3.11 --no-emit-index-url --group peers -o requirements/peers.txt

clean: ## remove what make made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
