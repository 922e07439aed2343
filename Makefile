# memrep: `make help` lists what there is to do here.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
SEEDS ?= 1000
SEED ?= 1
SECONDS ?= 60
RUNS ?= 1
FAULTS ?=
MINUTES ?= 10
PORT ?= 8080
NODES := tcp://127.0.0.1:11211,tcp://127.0.0.1:11212,tcp://127.0.0.1:11213

.PHONY: help run demo test test-long check lint types unit real php sim fingerprint trace story watch broken faults oserrors fuzz bench compare malformed soak watched join man format clean packages

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(INSTALLED): setup.cfg pyproject.toml
	@tools/need-venv $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

run: $(INSTALLED) ## three nodes on 127.0.0.1:11211-11213, in the foreground
	@$(BIN)/python -m bench.run_three "$(NODES)"

demo: packages $(INSTALLED) ## a visit counter, and buttons that kill, freeze and cut off its servers; PORT=8080
	@$(BIN)/python -m bench.demo --port $(PORT)

test: packages check sim real ## everything: lint, types, unit tests, simulator, real clients

test-long: packages $(INSTALLED) ## what is slow by nature: what only long runs, or every case of a kind, can show
	$(BIN)/pytest -q -n 2 -m "long and not alone" tests
	$(BIN)/pytest -q -m "long and alone" tests
	$(BIN)/python -m tests.faults --seconds 30 isolate halves

packages: $(INSTALLED) ## install the Debian packages that the tests need, if allowed
	@PYTHON=$(BIN)/python tools/test-packages

check: lint types unit ## what needs no other program

lint: $(INSTALLED)
	$(BIN)/ruff check memrep tests bench examples
	$(BIN)/ruff format --check memrep tests bench examples

types: $(INSTALLED)
	$(BIN)/mypy

unit: $(INSTALLED) ## unit tests and transcripts, memcached's among them
	$(BIN)/pytest -q -n 2 --ignore tests/real

real: $(INSTALLED) ## PHP, pymemcache and real processes that are really killed
	$(BIN)/pytest -q -n 2 tests/real

php: $(INSTALLED) ## parallel PHP requests: every client, save_path and fault, RUNS times
	@for run in $$(seq $(RUNS)); do $(BIN)/pytest -q -m "" -k "_no_increment" tests/real || exit; done

sim: $(INSTALLED) ## search SEEDS seeds of simulated faults for a broken promise
	$(BIN)/python -m tests.simulate --seeds $(SEEDS)

fingerprint: $(INSTALLED) ## a hash of all that nodes say over 300 seeds: equal before and after what changes nothing
	$(BIN)/python -m tests.simulate --fingerprint --seeds 300

trace: $(INSTALLED) ## what happens in the run of SEED, message by message
	@$(BIN)/python -m tests.simulate --seed $(SEED) --trace

story: $(INSTALLED) ## write down anew what comes of each story of replication; read the difference
	@$(BIN)/python -m tests.stories --rewrite

watch: $(INSTALLED) ## run the tests of a room whenever something of it is saved
	@tools/watch

broken: $(INSTALLED) ## break each rule of replication on purpose; some seed must notice
	$(BIN)/python -m tests.simulate --broken all --seeds $(SEEDS)

faults: $(INSTALLED) ## real nodes under a checked load; SECONDS of each of FAULTS="kill freeze ..."
	$(BIN)/python -m tests.faults --seconds $(SECONDS) $(FAULTS)

man: $(INSTALLED) ## man pages of all commands, into build/man
	$(BIN)/python -m memrep.cli.man_page build/man

oserrors: $(INSTALLED) ## let every system call of a real node fail, with every error that it can have
	$(BIN)/python -m tests.oserrors

fuzz: $(INSTALLED) ## search MINUTES for input that breaks a parser: by coverage, beside memcached and redis-server
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fuzz]' >/dev/null 2>&1 || \
	  { echo "make fuzz needs atheris, which cannot be had here for $$($(BIN)/python --version)"; exit 1; }
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

bench: $(INSTALLED) ## what memrep costs beside memcached and Redis (docs/performance.md); QUICK=1; ONLY=idle,paced
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]' || echo "without pictures"
	$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

compare: $(INSTALLED) ## PHP over memrep, memcached and Redis while a server fails; QUICK=1; INTO=docs
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]' >/dev/null 2>&1 || true
	$(BIN)/python -m bench.comparison $(if $(QUICK),--quick) --into $(or $(INTO),build/comparison)

malformed: $(INSTALLED) ## 100,000 malformed connections; the node's memory must stay flat
	$(BIN)/python -m bench.malformed

soak: $(INSTALLED) ## three nodes with everything on for 60 minutes; their memory and descriptors must stay flat
	$(BIN)/python -m bench.soak

watched: $(INSTALLED) ## what a scrape a second and an open page cost the nodes and their clients
	$(BIN)/python -m bench.watched

join: $(INSTALLED) ## restart a node among 100,000 sessions; the slowest request meanwhile
	$(BIN)/python -m bench.join

format: $(INSTALLED)
	$(BIN)/ruff format memrep tests bench examples
	$(BIN)/ruff check --fix memrep tests bench examples

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .fuzz build *.egg-info
