# The raw commands are one line each; `source .venv/bin/activate` to run them yourself.
.PHONY: help setup demo test coverage lint synth golden review rehearse bench soak boto3 faults simulate mutants lock docs clean
.DEFAULT_GOAL := help

PYTHON ?= python3
BASE ?= origin/main
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
PEERS := scripts/hello_queue/benchmark/peers
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)

help:
	@echo 'make setup    install what the others need; they do so themselves'
	@echo 'make demo     see it work, without an AWS account'
	@echo 'make test     run the tests'
	@echo 'make coverage run the tests, and print which lines and branches they reach'
	@echo 'make lint     ruff, mypy, and actionlint and zizmor for the workflows'
	@echo 'make synth    write the CloudFormation templates to cdk.out'
	@echo 'make golden   refresh the templates that reviewers read, in tests/golden'
	@echo 'make review   what does this change do in AWS? (BASE=origin/main)'
	@echo 'make rehearse deploy this change over BASE=origin/main, in a local AWS'
	@echo 'make bench    how fast are send.py and process.py? (about 40 minutes)'
	@echo 'make soak     run the tests that kill, fail and rehearse in a loop, for minutes'
	@echo 'make boto3    run the tests of sending and processing over boto3'
	@echo 'make faults   100,000 messages through 200 kills and faults'
	@echo 'make simulate the engine in virtual time (SEEDS=1000); SEED=n replays one'
	@echo 'make mutants  does the simulation find faults that are put into the engine?'
	@echo 'make lock     lock the Python dependencies, after a change of requirements*.txt'
	@echo 'make docs     refresh what in README.md and docs/ comes from the code'
	@echo 'make clean    remove what the others installed and wrote'

setup: .venv/installed node_modules/installed

demo: setup
	@$(BIN)/python scripts/local_aws.py -- python scripts/demo.py

test: setup $(PEERS)/node_modules/installed
	@$(PYTEST)

coverage:
	@rm -rf .coverage.d && mkdir -m 1777 .coverage.d
	@$(MAKE) --no-print-directory test PYTEST='$(BIN)/coverage run -m pytest'
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

lint: setup
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/node tests/lint_workflows.mjs
	@$(BIN)/zizmor --offline --quiet .github/workflows

synth: setup
	@node_modules/.bin/cdk synth --quiet

golden: setup
	@$(BIN)/python scripts/golden.py

review: setup
	@$(BIN)/python scripts/review.py --base $(BASE)

rehearse: setup
	@$(BIN)/python scripts/rehearse.py --base $(BASE)

bench: setup $(PEERS)/node_modules/installed $(PEERS)/.venv/installed
	@$(BIN)/python scripts/bench.py

soak: setup $(PEERS)/node_modules/installed
	@$(PYTEST) -m soak

boto3: setup $(PEERS)/node_modules/installed
	@HELLO_QUEUE_TRANSPORT=boto3 $(PYTEST) tests/sqs tests/scripts/test_process*.py tests/scripts/test_send*.py tests/test_interoperation.py

faults: setup
	@FAULTS_MESSAGES=100000 FAULTS=200 $(BIN)/python -m pytest --numprocesses=0 -s -m '' tests/test_faults.py

simulate: setup
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1000))

mutants: setup
	@$(BIN)/python -m tests.simulation --mutants

lock: setup
	@$(PIP) uv==0.13.9
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header requirements-dev.txt --output-file requirements.lock

docs: setup
	@$(BIN)/python -m tests.generated

clean:
	rm -rf .venv node_modules $(PEERS)/node_modules $(PEERS)/.venv cdk.out .pytest_cache .mypy_cache .ruff_cache .coverage.d build scripts/*.egg-info

.venv/installed: requirements.lock pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; choose it with: make PYTHON=python3.12 ...")'
	@echo 'Setting up .venv (once, about half a minute) ...'
	@$(PYTHON) -m venv .venv
	@$(PIP) --no-compile --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -qq -j 0 -x /aws_cdk/ .venv/lib # pip would do this on one core, and with all of aws_cdk
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c 'import app' # compiles what is used of aws_cdk
	@touch $@

node_modules/installed: package.json package-lock.json .venv/installed
	@echo 'Setting up node_modules (once, some seconds) ...'
	@npm ci --loglevel=error --no-audit --no-fund --no-update-notifier > /dev/null
	@touch $@

$(PEERS)/node_modules/installed: $(PEERS)/package.json $(PEERS)/package-lock.json .venv/installed
	@echo 'Setting up $(PEERS) (once, some seconds) ...'
	@npm ci --prefix $(PEERS) --loglevel=error --no-audit --no-fund --no-update-notifier > /dev/null
	@touch $@

$(PEERS)/.venv/installed: $(PEERS)/requirements.lock .venv/installed
	@$(BIN)/python -m venv $(PEERS)/.venv
	@$(PEERS)/.venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --requirement $<
	@touch $@
