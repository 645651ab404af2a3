# Everything from a fresh clone: `make explore`, `make test`. Needs python3 (3.11 or newer), g++, make and perl; no root.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOCK := .ci/constraints.txt
JOBS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint $(LOCK)

# PyPI's Linux build of PyTorch brings gigabytes of CUDA. Where pip's own index has no CPU build, this one does.
TORCH := 2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.DEFAULT_GOAL := help
.PHONY: help setup explore scnas test thorough networks mutation regress bench accuracy boards lint format types imports formal verify lock wheel clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

explore: $(VENV)/ready ## set up, then run the main job on handwritten digits
	$(BIN)/gatewright explore examples/digits.toml

scnas: $(VENV)/ready ## SC-NAS reproduced on handwritten digits, minutes (PLAN=--full: on CIFAR-10, hours)
	$(BIN)/gatewright reproduce scnas $(PLAN)

test: $(VENV)/ready-dev ## set up, then run the tests on two cores (TESTS=... for some of them)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadscope $(TESTS)

thorough: $(VENV)/ready-dev ## the tests too long for `make test`
	$(BIN)/python -m pytest -n $(JOBS) -m thorough $(TESTS)

networks: $(VENV)/ready-dev ## ResNet-8 and ShuffleNetV2 on a simulated 16 x 16 grid, bit for bit: many minutes
	$(BIN)/python -m pytest -n $(JOBS) -m networks --timeout 3600 $(TESTS)

setup: $(VENV)/ready-dev ## set up only: .venv with everything pinned

mutation: $(VENV)/ready-dev ## faults in every block, and how many of them its bench notices (BLOCKS='fetch drain' for some)
	$(BIN)/python -m tests.benches.mutation $(BLOCKS)

regress: $(VENV)/ready-dev ## area, LUTs, cycles, energy and clock rate of our blocks against the committed baseline (UPDATE=--update)
	$(BIN)/gatewright regress examples/regress.toml $(UPDATE)
	$(BIN)/gatewright regress examples/own_block/regress.toml $(UPDATE)
	$(BIN)/gatewright regress examples/regress_accelerator.toml $(UPDATE)

bench: $(VENV)/ready-dev ## the project's own benchmarks, side by side (NAME=gates for one)
	$(BIN)/gatewright bench $(NAME)

accuracy: $(VENV)/ready ## train the reference networks of docs/accuracy.md, hours for all (NAME='digits_mlp_int8 ...' for some)
	$(BIN)/python -m gatewright.sw.reference --record docs/accuracy.json $(NAME)

boards: $(VENV)/ready-fpga ## place and route for three boards, and bad lines: many minutes
	$(BIN)/python -m pytest -m boards --timeout 3600 tests/boards

lint: $(VENV)/ready-dev ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/ready-dev ## put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

formal: $(VENV)/ready ## proofs: gates equal Verilog, lanes equal arithmetic, invariants (PART=operators for some of them)
	$(BIN)/python -m gatewright.sim.formal $(PART)

types: $(VENV)/ready-dev ## static types
	$(BIN)/mypy

imports: $(VENV)/ready-dev ## which folder may import which
	$(BIN)/lint-imports

verify: $(VENV)/ready ## RUN=FOLDER: its network on generated Verilog against the golden model
	$(BIN)/gatewright verify $(RUN)

wheel: $(VENV)/ready-dev ## a wheel in dist/
	rm -rf build
	$(PIP) wheel --no-deps --wheel-dir dist .

lock: $(VENV)/ready-dev ## move every pin to the newest version that pyproject.toml allows
	$(PIP) install --upgrade --upgrade-strategy eager --editable '.[dev,fpga]'
	$(PIP) freeze --exclude-editable | sed 's/+cpu$$//' > $(LOCK)

clean: ## remove what was built (the runs stay)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Set-up: once, and again when the dependencies change.

$(VENV)/ready: $(VENV)/torch pyproject.toml $(LOCK)
	@echo "Installing Gatewright and its pinned dependencies"
	$(INSTALL) --editable .
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready
	@echo "Installing the development tools"
	$(INSTALL) --editable '.[dev]'
	@touch $@

$(VENV)/ready-fpga: $(VENV)/ready-dev
	@echo "Installing place and route for FPGA boards (600 MB)"
	$(INSTALL) --editable '.[dev,fpga]'
	@touch $@

$(VENV)/torch: $(VENV)/python $(LOCK)
	@echo "Installing PyTorch $(TORCH) for the CPU (200 MB)"
	@if [ "$$(uname -s)" != Linux ] || $(PIP) index versions torch 2>/dev/null | grep -qF '$(TORCH)+cpu'; \
	then set -x; $(INSTALL) torch==$(TORCH); \
	else set -x; $(INSTALL) torch==$(TORCH)+cpu --extra-index-url $(TORCH_INDEX) \
	|| { set +x; echo >&2 "PyTorch's CPU build could not be installed from $(TORCH_INDEX): name another index, as in: make TORCH_INDEX=URL explore"; exit 3; }; fi
	@touch $@

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo >&2 "Gatewright needs Python 3.11 or newer, and '$(PYTHON)' is not: install one and name it, as in: make PYTHON=python3.12 explore"; exit 3; }
	@for tool in g++ make perl; do command -v $$tool >/dev/null || { echo >&2 "Gatewright needs $$tool and it is not on the PATH: install it (Debian, Ubuntu: apt install g++ make perl), then run make again."; exit 3; }; done
	@echo "Creating $(VENV)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo >&2 "Gatewright needs Python's venv with pip: install it (Debian, Ubuntu: apt install python3-venv), then run make again."; exit 3; }
	@touch $@
