# make demo: the embedded Data Store and a mirror of it (ONCE=1: one round, then the result).
# make test: all checks and tests. make test-crash: the program killed at every change it makes of files, about an hour.
# make test-model: new games of operators, upstream, faults and crashes against the model (GAMES=500, STEPS=40).
# make test-fuzz: the fuzz tests with new examples, TIMES=50 times as many. make fuzz MINUTES=5: guided by coverage.
# make soak: the long run, MINUTES=30 of faults, operators, dashboards and engines that are killed; then all is checked.
# make audit: the locked versions, looked up in a vulnerability service; fails if there are any, or if none can be reached.
# All is installed into .venv, from the lock files, by pip as it is configured here.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Debian ships Python without ensurepip unless python3-venv is installed: such an interpreter is passed over.
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c '$(USABLE)' 2>/dev/null && echo $$python && break; done)

.PHONY: demo test test-crash test-model test-fuzz fuzz soak lint format lock screenshots audit

demo: $(VENV)/.installed
	@if [ "$(ONCE)" != 1 ] && [ -t 0 ] && [ -t 1 ]; then exec $(BIN)/mirrortui demo; else exec $(BIN)/mirrortui demo --once; fi

# RERUNS=1: what fails is tried once more, and told as "rerun". On a machine that others slow down at will, real
# processes and terminals may overrun a patience that is ample elsewhere; what is broken fails twice.
test: lint
	$(BIN)/pytest -n 4 -m "not benchmark" $(if $(RERUNS),--reruns $(RERUNS) -r R)

test-crash: $(VENV)/.installed-dev
	$(BIN)/python -m tests.crash

GAMES := 500
STEPS := 40
test-model: $(VENV)/.installed-dev
	MIRRORTUI_GAMES=$(GAMES) MIRRORTUI_STEPS=$(STEPS) $(BIN)/pytest tests/model

TIMES := 50
test-fuzz: $(VENV)/.installed-dev
	MIRRORTUI_FUZZ=$(TIMES) $(BIN)/pytest -n 2 --timeout 0 tests/fuzz

# atheris has wheels for CPython 3.11 to 3.14 on Linux, x86-64. It is no part of the lock: nothing but this needs it.
MINUTES := 5
fuzz: $(VENV)/.installed-dev
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(PIP) install --only-binary :all: atheris || { echo \
		"no wheel of atheris for $$($(BIN)/python -V) on $$(uname -sm): there are some for CPython 3.11 to 3.14" \
		"on Linux, x86-64; choose with PYTHON=python3.12. make test-fuzz needs none." >&2; exit 1; }
	@mkdir -p .fuzz
	$(BIN)/python -m tests.fuzz.guided .fuzz/corpus -artifact_prefix=.fuzz/ -max_len=8192 \
		-max_total_time=$$(($(MINUTES) * 60))

soak: MINUTES := 30
soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(VENV)/.installed-dev
	$(BIN)/python -m tests.screens.shots

# Versions that are locked stay while they satisfy pyproject.toml; UPGRADE=1 takes the newest ones.
COMPILE := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	$(if $(UPGRADE),--upgrade) --group install pyproject.toml

lock: $(VENV)/.created
	$(PIP) install uv
	$(COMPILE) --output-file requirements.txt
	$(COMPILE) --extra dev --constraints requirements.txt --output-file requirements-dev.txt

# pip-audit is no part of the lock, and has an environment of its own: nothing that is locked moves for it.
# OSV is asked: a mirror of the package index may answer in its place, without knowing of any vulnerability.
AUDIT := $(VENV)/audit
audit: $(VENV)/.created
	@[ -x $(AUDIT)/bin/pip-audit ] || { $(BIN)/python -m venv $(AUDIT) && \
		$(AUDIT)/bin/python -m pip --disable-pip-version-check --quiet install pip-audit; } || { \
		echo "not audited: pip-audit can't be installed. What the lock itself must be, make test checks." >&2; exit 1; }
	@cd $(AUDIT) && rm -f found.txt && if bin/pip-audit --vulnerability-service osv --disable-pip --require-hashes \
		--progress-spinner off --output found.txt -r $(CURDIR)/requirements-dev.txt 2> said.txt; then cat said.txt; \
		elif [ -s found.txt ]; then cat found.txt; exit 1; else tail -n 1 said.txt >&2; \
		echo "not audited: no vulnerability service answers. This says nothing about the locked versions." >&2; exit 1; fi

$(VENV)/.created:
	@[ -n "$(PYTHON)" ] || { echo "mirrortui needs Python 3.11 or later with its venv module;" \
		"on Debian and Ubuntu: apt install python3 python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# The lock holds the build backend too (group "install"): so nothing is fetched without a hash. Installed in place,
# the command follows the source.
$(VENV)/.installed: $(VENV)/.created requirements.txt pyproject.toml
	@echo "Installing into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@echo "Installing what the tests need ..."
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@
