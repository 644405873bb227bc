# Every target works on a bare machine with python3 and make; each makes .venv when it is missing.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test oracle clients faults bench lint format clean

demo: $(STAMP)
	$(BIN)/sealwire demo $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not oracle and not clients and not faults" $(ARGS)

# Every statement of the corpora on a plain database and through the proxy on a sealed one: minutes, not seconds.
oracle: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadscope -m oracle $(ARGS)

# Programs in other languages, through the proxy: see docs/clients.md. What has no toolchain here is skipped.
clients: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,demo,clients]'
	$(BIN)/python -m pytest -m clients tests/clients $(ARGS)

# Throughput beside PgBouncer and pgcrypto where those are installed: see docs/performance.md.
# What goes wrong around a proxy that serves, at length; .ci/run has the short form.
faults: $(STAMP)
	SEALWIRE_FAULTS=long $(BIN)/python -m pytest -m faults -s tests/faults $(ARGS)

bench: $(STAMP)
	$(BIN)/python -m bench $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Sealwire needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,demo]'
	@touch $@
