# Everything a developer types. `make run` and `make test` need nothing but Python 3.11 or 3.12.
IS_FIT := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do $$p -c '$(IS_FIT)' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin

# Tests start hundreds of processes: where an image forbids byte code (Docker's often do), each of
# them would compile all it imports again, which is half of the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test audit peer check types fast format docs clean

$(VENV)/.installed: requirements-cpu.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 with venv is needed (on Debian: apt install python3-venv), or name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into $(VENV), about 2 GB: a minute or two, this once."
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
# Not compiled: a third of the 15,000 files is ever imported, and is compiled then.
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -r requirements-cpu.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

# Ctrl-C is for the server, and not a failure: 130 is its status then.
run: $(VENV)/.installed
	@trap : INT; $(BIN)/ocr serve || test $$? -eq 130

check: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	@$(MAKE) --no-print-directory -j 2 types fast

# The two parts of the gate that take long, and of which the first has use of one core only.
types: $(VENV)/.installed
	$(BIN)/mypy

fast: $(VENV)/.installed
	$(BIN)/pytest -q -n logical --maxprocesses 4 --dist worksteal -m "not slow and not gpu and not peer and not s3_peer" tests

test: check
	$(BIN)/pytest -q -n 4 --dist loadfile --no-loadscope-reorder --durations 15 \
		-m "slow and not gpu and not peer and not s3_peer" tests
	scripts/bootstrap_s3_peer.sh test
	scripts/bootstrap_vllm_peer.sh test
	$(BIN)/python scripts/audit_dependencies.py

# The locked packages against the known advisories (pip-audit); says so where those cannot be reached.
audit: $(VENV)/.installed
	$(BIN)/python scripts/audit_dependencies.py --strict

# A real vLLM on the CPU (2.5 GB, once): the contract suite of inference servers against it.
peer: $(VENV)/.installed
	scripts/bootstrap_vllm_peer.sh test

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed
	$(BIN)/python scripts/generate_docs.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
