# Sluice: `make run` starts the proxy, `make test` runs the tests; both set up what they need, once.
#
#   make run ARGS="--mode enforce --listen 127.0.0.1:9080"
#   make setup       the full environment (proxy, fine-tuning, tests) without starting anything
#   make check       ruff, mypy, import rules
#   make bench       requests per second and latency against stock mitmdump, to docs/benchmarks (ARGS as for `sluice bench`)
#   make dashboards  write deploy/grafana/dashboards from its generator
#   make docs        write docs/reference from the code
#   make lock        resolve requirements/*.txt anew

.DEFAULT_GOAL := help
.PHONY: help run setup test check bench dashboards docs lock
SHELL := /bin/sh
ARGS ?=
export PYTHON

help:
	@awk '!/^#/ { exit } { sub(/^# ?/, ""); print }' Makefile

run:
	@scripts/setup run
	@exec .venv/bin/sluice run $(ARGS)

setup:
	@scripts/setup test

test: setup
	.venv/bin/pytest $(ARGS)

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache --no-logo

bench: setup
	@mkdir -p docs/benchmarks
	@exec .venv/bin/sluice bench --json docs/benchmarks/traffic.json --plot docs/benchmarks/traffic.svg $(ARGS)

dashboards: setup
	.venv/bin/python deploy/grafana/generate.py

docs: setup
	.venv/bin/python docs/generate.py

lock:
	@scripts/lock
