# Two commands are enough: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
BIN := .venv/bin
# The tests kill processes, not machines: files in memory show the same and spare the disk.
SCRATCH := $(if $(wildcard /dev/shm/.),/dev/shm,/tmp)
STAMP := .venv/.installed
RUNS := .venv/.runs
# Compiling every module that is installed takes longer than installing it; what is imported is compiled then.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --editable
# Half of the tests each, in their order; who is done first takes some of the other's last. Those marked
# `alone` kill, stop and time real processes: they have the machine to themselves.
TWO := -n 2 --dist worksteal

# Tests and the demo start Python by the dozen: what one of them has compiled the others need not.
unexport PYTHONDONTWRITEBYTECODE

KILLS ?= 1000

.PHONY: demo test check bench soak pictures services lock clean

demo: $(RUNS)
	$(BIN)/dialtree demo

test: $(STAMP) services
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dialtree check
	TMPDIR=$(SCRATCH) $(BIN)/python -m pytest $(TWO) --durations 30 -m "not alone"
	TMPDIR=$(SCRATCH) $(BIN)/python -m pytest -m alone

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dialtree check

bench: $(STAMP)
	$(BIN)/python -m bench

# Kills workers at random instants (STORES=1: PostgreSQL, too); checks that nothing was lost or sent twice.
soak: $(STAMP) services
	$(BIN)/python -m tests.faults.soak --kills $(KILLS) $(if $(SEED),--seed $(SEED)) $(if $(STORES),--stores)

# The pictures of the README: the phone in a browser, and the map of *100#.
pictures: $(STAMP) services
	$(BIN)/python -m tests.pictures

# The newest versions pyproject.toml permits, with the hash of every file the index offers of each.
lock: $(RUNS)
	$(BIN)/python -m pip install --quiet 'uv>=0.9'
	$(BIN)/uv --no-config pip compile pyproject.toml --group build --universal --generate-hashes --upgrade \
		--quiet --custom-compile-command 'make lock' --output-file requirements.lock

services: $(STAMP)
	$(BIN)/python -m tests.services install

$(RUNS): pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Dialtree needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) .
	touch $(RUNS)

$(STAMP): $(RUNS)
	$(INSTALL) '.[dev]'
	touch $(STAMP)

clean:
	rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .hypothesis
