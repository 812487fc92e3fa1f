# Two commands are enough: `make run` and `make test`. Each sets up what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help run test pins setup lint bench soak clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

run: setup ## the demonstration: a throw-away home, real agent, scripted model (HEADLESS=1: decides by itself)
	@$(PY) -P -m karpathy_self_improve.demo

test: lint ## ruff, mypy --strict and every test but the soak ones
	@$(PY) -P -m pytest tests -q -n 3 --dist worksteal

pins: setup ## the tests of routes and servers on the web packages that the host pins
	@scripts/test_on_web_pins.sh

setup: .venv/.ready ## .venv with the host, the development tools and this package
	@:

.venv/.ready: pyproject.toml requirements-dev.txt scripts/setup.sh
	@scripts/setup.sh

lint: setup ## ruff and mypy --strict
	@scripts/lint.sh

bench: setup ## every program in benchmarks/, figures written to docs/benchmarks.md
	@$(PY) scripts/bench.py

soak: setup ## long random runs: kills, races, state machine
	@$(PY) -P -m pytest tests -q -m soak
	@$(PY) benchmarks/soak.py --kills 1000

clean: ## remove .venv, caches and build leftovers
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
