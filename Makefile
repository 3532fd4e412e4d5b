# Two commands are enough: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The tests kill processes, not machines: files in memory show the same and spare the disk.
SCRATCH := $(if $(wildcard /dev/shm/.),/dev/shm,/tmp)
STAMP := $(VENV)/.installed
RUNS := $(VENV)/.runs
LOCKS := pyproject.toml requirements.lock $(wildcard requirements/*.lock) $(wildcard tools/install.py)
INSTALL := $(PYTHON) -m tools.install --environment $(VENV)
# Three processes on two cores, as tests wait for servers and other processes a third of the time; who is done
# first takes some of the others' last. Those marked `alone` kill, stop and time real processes: they wait most of
# the time, and two of them have a core each.
SHARED := -n 3 --dist worksteal
ALONE := -n 2 --dist worksteal
# Named, as two processes would collect all other tests, too, for ten seconds.
ALONE_FILES = $(shell grep -rl 'pytest\.mark\.alone' tests --include='test_*.py')

# A test that failed beside others is run once more without them: some wait for real servers by the second, and a
# busy machine stalls. What fails again fails; what passes is told of as unsteady.
AGAIN = (echo "UNSTEADY: what failed above is run once more, alone" >&2 && $(TIMED) tests-again env TMPDIR=$(SCRATCH) \
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none)

# Tests and the demo start Python by the dozen: what one of them has compiled the others need not.
unexport PYTHONDONTWRITEBYTECODE

# Prints how long a part takes.
TIMED := $(BIN)/python -m tools.timed
SMOKE := tests/system/test_dialogs.py tests/gateway/providers/test_contract.py tests/gateway/cli/test_main.py tests/storage/sessions/test_contract.py \
	tests/storage/credentials/test_one_time_codes.py tests/storage/outbox/test_store.py tests/storage/privacy/test_export_erase.py tests/repository/test_lockfile.py tests/repository/test_wheel.py

KILLS ?= 1000
# Where `make reach` keeps its Debian tree.
REACH_FOLDER ?= /var/tmp/dialtree-reach
# Where `make image-test` keeps the images it builds.
IMAGE_FOLDER ?= /var/tmp/dialtree-images

.PHONY: demo test types collected check lint bench instructions soak staging image-test reach pictures site services lock outdated audit dist licences smoke clean

demo: $(RUNS)
	$(BIN)/dialtree demo

test: $(STAMP) services
	$(MAKE) --jobs 2 --output-sync types collected
	$(TIMED) tests env TMPDIR=$(SCRATCH) $(BIN)/python -m pytest $(SHARED) --durations 30 -m "not alone" || $(AGAIN)
	$(TIMED) tests-alone env TMPDIR=$(SCRATCH) $(BIN)/python -m pytest $(ALONE) --durations 10 -m alone $(ALONE_FILES) || $(AGAIN)

types: $(STAMP)
	$(TIMED) types $(BIN)/mypy

# Beside the types, as each has a core: lint, packs, and the byte code of the tests, which three processes need.
collected: $(STAMP)
	$(TIMED) lint $(MAKE) lint
	$(TIMED) packs $(BIN)/dialtree check
	$(TIMED) collect $(BIN)/python -m pytest --collect-only -qq > $(VENV)/.collected || (cat $(VENV)/.collected && false)

check: $(STAMP) lint
	$(BIN)/mypy
	$(BIN)/dialtree check

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# A subset without servers, to run on another Python: `make smoke PYTHON=python3.14 VENV=.venv-3.14`.
smoke: $(STAMP)
	$(TIMED) smoke env TMPDIR=$(SCRATCH) $(BIN)/python -m pytest $(SHARED) -m "not alone" -k "not coverage-" $(SMOKE)

# The table of docs/performance.md, to bench/results. BENCH="--quick" takes a minute; BENCH="--help" lists the options.
bench: $(STAMP)
	env TMPDIR=$(SCRATCH) $(BIN)/python -m bench $(BENCH)

# For CI: fails when a menu step takes more instructions, by bare aiohttp's, than the last figures and 5 %.
instructions: $(STAMP)
	env TMPDIR=$(SCRATCH) $(BIN)/python -m bench.instructions --check

# Kills workers at random instants (STORES=1: PostgreSQL, too); checks that nothing was lost or sent twice.
# PAY=1: kills gateways that take payments between any two steps; checks that all money is accounted for.
# PAUSED=1: stops workers in mid delivery (SIGSTOP). CHANNELS=1: one wish on several channels at once.
# HUNG=1: stops PostgreSQL or Redis (SIGSTOP) during each wish.
SOAK = $(if $(PAY),payment_soak,$(if $(PAUSED),paused_soak,$(if $(CHANNELS),wish_soak,$(if $(HUNG),wish_soak --hung,soak))))
soak: $(STAMP) services
	$(BIN)/python -m tests.faults.$(SOAK) --kills $(KILLS) $(if $(SEED),--seed $(SEED)) $(if $(STORES),--stores)

# Starts what compose.yaml describes as processes and shows a provider's outage: alert, dashboard, console, recovery.
# OUTAGE=60 shortens it from five minutes, and the waits of the alerts by the same factor.
staging: $(STAMP) services
	$(BIN)/python -m tests.staging.outage_drill $(if $(OUTAGE),--outage $(OUTAGE))

# Builds the image with podman, runs it confined, and runs compose.yaml and the manifests of serve and worker with it.
# Needs root, podman, podman-compose and mmdebstrap; says so where they are missing.
image-test: $(STAMP)
	$(BIN)/python -m tests.staging.run_image $(IMAGE_FOLDER)

# Real networks: a SIP phone calls 411 through Asterisk, a virtual phone dials *100# in a GSM core.
# Needs root, debootstrap, gcc and a Debian mirror.
reach: $(STAMP) services
	$(BIN)/python -m tests.reach.prepare_folder $(REACH_FOLDER)
	$(TIMED) reach env REACH_FOLDER=$(REACH_FOLDER) TMPDIR=$(SCRATCH) $(BIN)/python -m pytest tests/reach

# The pictures of the documents: the phone in a browser, the map of *100#, the console and the studio.
pictures: $(STAMP) services
	$(BIN)/python -m tests.browser.readme_pictures
	env PICTURES=docs/img $(BIN)/python -m pytest tests/browser/test_console.py tests/browser/test_studio.py \
	  -k "fresh_sim_got_no_code or found_too_long"

# The newest versions pyproject.toml permits, with the hash of every file the index offers of each.
# KEEP=1: only what pyproject.toml demands changes.
lock: $(STAMP)
	$(BIN)/python -m tools.lock renew $(if $(KEEP),--keep)

# Shows what `make lock` would renew, and the newer releases pyproject.toml does not permit.
outdated: $(STAMP)
	$(BIN)/python -m tools.lock outdated

# Asks a public database for known vulnerabilities of what the lock pins; says so when it cannot be asked.
audit: $(STAMP)
	$(BIN)/python -m tools.audit

# The wheel and the source archive, in dist/, with a CycloneDX SBOM and a provenance statement.
dist: $(STAMP)
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/python -m tools.release_documents

# The page of licences, from the lock and what is installed.
licences: $(STAMP)
	$(BIN)/python -m tools.licences

# The documentation as a site, in site/, with its links checked.
site: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m tools.site_build

services: $(STAMP)
	$(BIN)/python -m tests.support.debian_packages
	$(BIN)/python -m tests.support.node_packages

$(RUNS): $(LOCKS)
	$(INSTALL) runtime
	rm -f $(STAMP)
	touch $(RUNS)

$(STAMP): $(LOCKS)
	$(INSTALL) all
	touch $(RUNS) $(STAMP)

clean:
	rm -rf .venv* .installer dist site var .mypy_cache .ruff_cache .pytest_cache .hypothesis
