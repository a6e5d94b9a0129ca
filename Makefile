# Needs Python 3.11 or newer with its venv module, and make; everything else comes from requirements.lock.
.NOTPARALLEL:
.DEFAULT_GOAL := help

BIN := .venv/bin
# Every process of the demo and the tests starts three times as quickly from compiled modules.
unexport PYTHONDONTWRITEBYTECODE
READY := .venv/.ready

.PHONY: help demo test test-slow test-postgres mutate check checks fmt generate release-protos bench lock
.PHONY: bench-postgres
.PHONY: check-format check-lint check-types check-floors check-protos check-breaking check-generated

help:
	@echo "make demo           the whole story on this machine"
	@echo "make test           every test but the slow ones"
	@echo "make test-slow      the slow tests"
	@echo "make test-postgres  the stories and the walks once more, on PostgreSQL"
	@echo "make mutate         change the gate one thing at a time; tests have to notice (a quarter of an hour)"
	@echo "make check          format, lint, types, floors, protos, generated code, then make test"
	@echo "make fmt            format, and fix what can be fixed"
	@echo "make generate       Python code from the protos"
	@echo "make release-protos what buf breaking compares with from now on"
	@echo "make bench          how fast it is here (BENCH=--json and others are for \`exchange bench\`)"
	@echo "make bench-postgres the same on a PostgreSQL server that is started for it"
	@echo "make lock           resolve the dependencies anew"

# --- the environment -------------------------------------------------------------------------------

# Rebuilt when the lock changes. uv is taken from the lock too, by hash; where uv cannot reach an index
# that pip is set up for, pip installs the same lock.
$(READY): requirements.lock
	@python=; \
	for candidate in $(PYTHON) python3.11 python3 python3.12 python3.13 python3.14 python; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Python 3.11 or newer is needed and was not found." >&2; \
	  echo "Install it, or name it: make PYTHON=/path/to/python3 ..." >&2; exit 1; fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python has no venv module." >&2; \
	  echo "On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  echo "== environment: .venv with $$("$$python" --version)"; \
	  "$$python" -m venv --clear .venv || exit 1; fi
	@echo "== environment: install requirements.lock"
	@awk '/^[a-z0-9]/ {keep = /^uv==/} keep' requirements.lock > .venv/uv.lock
	@{ $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock \
	    && $(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock; } \
	  || { echo "== environment: uv could not; pip installs the same lock"; \
	       $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# --- what it does ----------------------------------------------------------------------------------

demo: $(READY)
	@$(BIN)/exchange demo

bench: $(READY)
	@$(BIN)/exchange bench $(BENCH)

bench-postgres: $(READY)
	@$(BIN)/python -m tests.postgres.bench $(BENCH)

# --- tests -----------------------------------------------------------------------------------------

# Waiting for a disk proves nothing more the thousandth time: where memory has room, the files of the quick tests
# lie in memory. The slow ones, and whoever runs pytest by hand, use the disk.
IN_MEMORY := /dev/shm
ROOM_KB := 4000000

test: $(READY)
	@echo "== test: every test but the slow ones"
	@room=$$(df -Pk $(IN_MEMORY) 2>/dev/null | awk 'NR == 2 {print $$4}'); \
	if [ "$${room:-0}" -gt $(ROOM_KB) ]; then TMPDIR=$(IN_MEMORY); fi; \
	files=$$(mktemp -d "$${TMPDIR:-/tmp}/exchange-tests.XXXXXX") || exit 1; \
	trap 'rm -rf "$$files"' EXIT; trap 'exit 130' INT TERM; \
	TMPDIR="$$files" $(BIN)/pytest -n auto --dist worksteal -m "not slow" -o faulthandler_timeout=300

test-slow: $(READY)
	@echo "== test: the slow ones, one after another"
	@$(BIN)/pytest -n0 -m slow --durations=10 || { code=$$?; [ $$code -eq 5 ] && echo "no test is marked slow"; }

# `make test` holds both stores to the same tests of a store; this holds what is told above it to the other one.
ON_BOTH := tests/stories tests/pipeline/test_writer.py tests/pipeline/test_writer_faults.py \
  tests/pipeline/test_queue.py tests/pipeline/test_overlap.py

test-postgres: $(READY)
	@echo "== test-postgres: stories and walks on PostgreSQL"
	@EXCHANGE_TEST_STORE=postgres $(BIN)/pytest -n auto --dist worksteal -m "not slow" $(ON_BOTH)

mutate: $(READY)
	@echo "== mutate: exchange/gate, in build/mutation"
	@$(BIN)/python tests/gate/mutate.py

# --- checks ----------------------------------------------------------------------------------------

check: checks test

checks: check-format check-lint check-types check-floors check-protos check-breaking check-generated

check-format: $(READY)
	@echo "== format: ruff format"
	@$(BIN)/ruff format --check --quiet --output-format concise . || { echo "Run: make fmt" >&2; exit 1; }

check-lint: $(READY)
	@echo "== lint: ruff check"
	@$(BIN)/ruff check --quiet .

check-types: $(READY)
	@echo "== types: mypy --strict"
	@$(BIN)/mypy --no-error-summary

check-floors: $(READY)
	@echo "== floors: lint-imports"
	@$(BIN)/lint-imports --no-cache > .venv/floors.txt 2>&1 || { cat .venv/floors.txt >&2; exit 1; }

check-protos: $(READY)
	@echo "== protos: buf lint"
	@cd protos && ../$(BIN)/buf lint

check-breaking: $(READY)
	@echo "== protos: buf breaking"
	@cd protos && if [ -f released.binpb ]; then ../$(BIN)/buf breaking --against released.binpb; \
	  else echo "   no release yet: nothing is promised (make release-protos)"; fi

check-generated: $(READY)
	@echo "== protos: generated code is fresh"
	@$(BIN)/python protos/generate.py --check

# --- what changes the tree -------------------------------------------------------------------------

fmt: $(READY)
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

generate: $(READY)
	@echo "== generate: exchange/v1 from protos/exchange/v1"
	@$(BIN)/python protos/generate.py

release-protos: $(READY)
	@echo "== release: protos/released.binpb is what others rely on from now on"
	@cd protos && ../$(BIN)/buf build --exclude-source-info -o released.binpb

lock: $(READY)
	@echo "== lock: requirements.lock from pyproject.toml"
	@$(BIN)/uv pip compile pyproject.toml --all-extras --generate-hashes --no-header --no-annotate \
	  --universal --python-version 3.11 --quiet -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra postgres --extra hsm --extra timestamp --extra otel --extra nats --extra pdf \
	  --extra console \
	  --constraint requirements.lock --generate-hashes --no-header --no-annotate \
	  --universal --python-version 3.11 --quiet -o deploy/container/requirements.lock
