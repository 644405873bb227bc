# Every target works on a bare machine with python3 and make; each makes .venv when it is missing.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# What has to reach every line and branch of proxy/wire, and of proxy/session.
WIRE_TESTS    := tests/wire tests/codecs
SESSION_TESTS := tests/session tests/server/test_startup.py tests/sql/test_shapes.py

.PHONY: demo test oracle mutation clients faults fuzz conversations coverage bench campaign rotation native asan lint format clean

demo: $(STAMP)
	$(BIN)/sealwire demo $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not oracle and not clients and not faults" $(ARGS)

# Every statement of the corpora on a plain database and through the proxy on a sealed one: minutes, not seconds.
oracle: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadscope -m oracle $(ARGS)

# Every rule of the analysis broken on its own: each must turn the oracle red. See docs/testing.md.
mutation: $(STAMP)
	$(BIN)/python -m tests.mutation $(ARGS)

# Programs in other languages, through the proxy: see docs/clients.md. What has no toolchain here is skipped.
clients: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,demo,clients]'
	$(BIN)/python -m pytest -m clients $(if $(filter %.py,$(ARGS)),,tests/clients tests/tls) $(ARGS)

# Coverage-guided fuzzing, every target for ten minutes, two at a time: see CONTRIBUTING.md. The short form is a part of `make test`.
fuzz: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,demo,fuzz]'
	$(BIN)/python -m tests.fuzz $(ARGS)

# Random conversations on PostgreSQL directly and through the proxy, message by message: see docs/testing.md.
conversations: $(STAMP)
	$(BIN)/python -m tests.differential $(ARGS)

# Lines and branches of proxy/wire and proxy/session that their own tests reach; fails where one is left out.
coverage: $(STAMP)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --hypothesis-seed=0 --cov --cov-report= $(WIRE_TESTS) $(SESSION_TESTS) $(ARGS)
	$(BIN)/coverage report --include='proxy/session/*' --fail-under=100
	$(BIN)/coverage report --include='proxy/wire/*' --fail-under=100

# What goes wrong around a proxy that serves, at length; .ci/run has the short form.
faults: $(STAMP)
	SEALWIRE_FAULTS=long $(BIN)/python -m pytest -m faults -s tests/faults $(ARGS)

# Throughput beside PgBouncer and pgcrypto where those are installed: see docs/performance.md.
bench: $(STAMP)
	$(BIN)/python -m bench $(ARGS)

# The compiled kernel: needs a C compiler and OpenSSL's headers (Debian: gcc libssl-dev). Without it, Python does the work.
native: $(STAMP)
	$(BIN)/python hatch_build.py

# The kernel's tests and fuzzers over a build with the address and undefined-behaviour sanitizers.
asan: $(STAMP)
	rm -rf build/asan && mkdir -p build/asan
	$(BIN)/python hatch_build.py --sanitize --to build/asan
	LD_PRELOAD=$$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
	  SEALWIRE_TEST_NATIVE=$$(echo $(CURDIR)/build/asan/_native*.so) \
	  $(BIN)/python -m pytest -q -p no:cacheprovider tests/kernel $(ARGS)

# Five million rows sealed under load, the command killed five times: some ten minutes. See docs/column-life.md.
campaign: $(STAMP)
	$(BIN)/python -m tests.campaigns.seal_under_load $(ARGS)

# Equality keys rotated while the oracle's statements on equality, joins, grouping and uniqueness are asked: minutes.
rotation: $(STAMP)
	$(BIN)/python -m tests.campaigns.rotate_under_load $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf proxy/kernel/*.so $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Sealwire needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,demo]'
	@touch $@
