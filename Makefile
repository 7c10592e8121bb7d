# Every target makes what it needs: system packages (when root), .venv, the package itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TASK := tasks/repos/isodate-fraction-of-second-grows
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check format bench clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' Makefile

$(VENV)/.made: pyproject.toml scripts/setup.sh
	scripts/setup.sh
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -e .
	@touch $@

$(VENV)/.made-train: $(VENV)/.made scripts/constraints.txt
	$(BIN)/pip install -q -c scripts/constraints.txt -e '.[train]'
	@touch $@

$(VENV)/.made-dev: $(VENV)/.made scripts/constraints.txt
	$(BIN)/pip install -q -c scripts/constraints.txt -e '.[dev]'
	@touch $@

setup: $(VENV)/.made-dev

demo: $(VENV)/.made-train ## set up, then: doctor, one task admitted, three agents on a real repository, two minutes of training
	$(BIN)/agentgym doctor
	$(BIN)/agentgym tasks check $(TASK) --quick
	rm -f runs/demo.jsonl
	$(BIN)/agentgym run $(TASK) --scaffold bash --model replay:tests/golden/demo.jsonl --out runs/demo.jsonl
	$(BIN)/agentgym run $(TASK) --scaffold oracle --out runs/demo.jsonl
	$(BIN)/agentgym run $(TASK) --scaffold nop --out runs/demo.jsonl || test $$? = 1
	rm -rf runs/demo-training
	$(BIN)/agentgym train configs/ci.toml --out runs/demo-training

test: setup ## the default test suite
	$(BIN)/pytest -n 2

# a shared machine that stalls for seconds must not fail a run of half an hour: what fails is tried twice more, and shown
test-all: setup ## what CI runs: also a real engine, real agents, a real browser, and every task admitted
	scripts/setup-docker.sh
	scripts/setup-browser.sh
	AGENTGYM_REQUIRE=namespaces $(BIN)/pytest -n 2 --reruns 2
	AGENTGYM_REQUIRE=namespaces,docker,agents,browser $(BIN)/pytest -n 2 --reruns 2 \
		-m 'docker or admission or training or agents or browser'

check: setup ## lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## all figures, into benchmarks/results/
	$(BIN)/python -m benchmarks.sandbox --json benchmarks/results/sandbox.json
	$(BIN)/python -m benchmarks.env --json benchmarks/results/env.json
	$(BIN)/python -m benchmarks.kernels --json benchmarks/results/kernels.json
	$(BIN)/python -m benchmarks.engine --json benchmarks/results/engine.json
	$(BIN)/python -m benchmarks.gateway --json benchmarks/results/gateway.json
	$(BIN)/python -m benchmarks.compliance --json benchmarks/results/compliance.json
	$(BIN)/python -m benchmarks.convert --json benchmarks/results/convert.json
	$(BIN)/python -m benchmarks.async_rl --json benchmarks/results/async_rl.json
	$(BIN)/python -m benchmarks.prefix_tree --json benchmarks/results/prefix_tree.json
	$(BIN)/python -m benchmarks.learning --json benchmarks/results/learning.json
	$(BIN)/python -m benchmarks.cispo --json benchmarks/results/cispo.json

clean: ## everything that was made here, cached images included
	-$(BIN)/agentgym sandbox prune --images
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
