# Everything a person does with this project. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
ENV := dev
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate

# `sam validate` and boto3 want a region, and the SAM CLI reports usage unless told not to.
export AWS_DEFAULT_REGION ?= us-east-1
export SAM_CLI_TELEMETRY ?= 0
# The state machine and templates live in the repository; nothing here needs a pager.
export AWS_PAGER :=

.PHONY: help
help: ## show this list
	@printf '\nOrder management system: what you can run\n\n'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nExamples\n\n'
	@printf '  make run ONCE=1                                   demonstration, then stop\n'
	@printf '  make invoke FUNCTION=api_stock CASE=read_stock    one handler on events/api_stock/read_stock.json\n'
	@printf '  make deploy ENV=dev                               build and deploy to AWS\n\n'

$(STAMP): requirements/dev.txt layers/deps/requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) on PATH. Install Python 3.11 or newer, or say make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Say make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making the environment in $(VENV) (once; a minute or less)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[^ ]+' requirements/dev.txt)"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@touch $@

# Prism serves vendors' own API descriptions to the tests; without node they are skipped, saying so.
PRISM := tests/prism/node_modules/.installed

$(PRISM): tests/prism/package.json tests/prism/package-lock.json
	@mkdir -p $(@D)
	@if command -v npm >/dev/null; then \
		echo "Installing Prism for the tests (once; half a minute)"; \
		npm ci --prefix tests/prism --no-audit --no-fund --loglevel=error >/dev/null || echo "Prism could not be installed: tests against vendors' descriptions are skipped"; \
	else echo "There is no npm: tests against vendors' descriptions are skipped"; fi
	@mkdir -p $(@D) && touch $@

.PHONY: setup
setup: $(STAMP) $(PRISM) ## make the Python environment (the other targets do it themselves)

.PHONY: run
run: $(STAMP) ## start everything on this machine and run the demonstration
	@ONCE=$(ONCE) exec $(BIN)/python -m tools.run

.PHONY: invoke
invoke: $(STAMP) ## run one handler on one event: FUNCTION=… CASE=…
	@test -n "$(FUNCTION)" -a -n "$(CASE)" || { echo "Say which: make invoke FUNCTION=webhook_storefront CASE=<a file of events/webhook_storefront, without .json>"; exit 2; }
	@$(BIN)/python -m tools.invoke "$(FUNCTION)" "$(CASE)"

.PHONY: test
test: lint unit e2e ## every check and every test
	@echo "All checks and tests passed."

.PHONY: lint
lint: $(STAMP) ## style, types, template
	@echo "== style (ruff)"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== types (mypy)"
	@$(BIN)/mypy
	@echo "== template (sam validate --lint)"
	@$(BIN)/sam validate --lint --template-file template.yaml

.PHONY: unit
unit: $(STAMP) $(PRISM) ## template, unit and integration tests (no server)
	@echo "== template, unit and integration tests (pytest)"
	@$(PYTEST) -n auto --dist worksteal -q tests/template tests/unit tests/integration

.PHONY: e2e
e2e: $(STAMP) ## end-to-end tests on a local AWS of their own
	@echo "== end-to-end tests (pytest, local AWS on its own port)"
	@$(PYTEST) -q tests/e2e

.PHONY: format
format: $(STAMP) ## lay out the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: openapi
openapi: $(STAMP) ## write docs/openapi.json from the code
	@$(BIN)/python -m tools.openapi

.PHONY: bench-stock
bench-stock: $(STAMP) ## what promising stock costs: CASES=hot_sku,baskets,apart ORDERS=10000
	@$(BIN)/python -m tools.bench_stock $(if $(CASES),--cases $(CASES)) $(if $(ORDERS),--orders $(ORDERS))

.PHONY: bench-e2e
bench-e2e: $(STAMP) ## orders per second of the deployed whole on this machine: QUICK=1 for a small run
	@$(BIN)/python -m tools.bench_e2e $(if $(filter-out 0,$(QUICK)),--quick)

.PHONY: import-rates
import-rates: $(STAMP) ## carrier prices or zones from a CSV file: STAGE=dev KIND=rates NAME=ups VERSION=1 CARD=… FILE=…
	@test -n "$(KIND)" -a -n "$(NAME)" -a -n "$(FILE)" || { echo "Say what: make import-rates STAGE=dev KIND=zones NAME=us-2026 FILE=zones.csv (python -m tools.import_rates --help says more)"; exit 2; }
	@$(BIN)/python -m tools.import_rates --kind "$(KIND)" --name "$(NAME)" $(if $(STAGE),--stage "$(STAGE)") $(if $(VERSION),--version "$(VERSION)") $(if $(CARD),--card "$(CARD)") "$(FILE)"

.PHONY: backtest
backtest: $(STAMP) ## try a routing policy on past orders, beside the active one: STAGE=dev POLICY=4 DAYS=7 or GENERATE=500
	@test -n "$(POLICY)" || { echo "Say which version: make backtest POLICY=4 DAYS=7 (python -m tools.backtest --help says more)"; exit 2; }
	@$(BIN)/python -m tools.backtest --policy "$(POLICY)" $(if $(STAGE),--stage "$(STAGE)") $(if $(DAYS),--days "$(DAYS)") $(if $(GENERATE),--generate "$(GENERATE)")

.PHONY: prove-routing
prove-routing: $(STAMP) ## routing against HiGHS on 10,000 orders, half an hour: ORDERS=… for fewer
	@$(BIN)/python -m tools.prove_routing $(if $(ORDERS),--orders $(ORDERS))

.PHONY: bench-routing
bench-routing: $(STAMP) ## what exact routing costs and saves: CLASSES="5 x 50;8 x 20;waves" INSTANCES=20
	@$(BIN)/python -m tools.bench_routing $(if $(CLASSES),--classes "$(CLASSES)") $(if $(INSTANCES),--instances $(INSTANCES))

.PHONY: payloads
payloads: $(STAMP) ## what becomes of vendors' real payloads, file by file (where their folder lies beside the project)
	@$(PYTEST) -q -s -rs tests/unit/test_real_payloads_*.py

.PHONY: import-cost
import-cost: $(STAMP) ## what each handler costs to import: milliseconds and modules
	@$(BIN)/python -m tools.import_cost

.PHONY: build
build: $(STAMP) ## pack for AWS (arm64, Python 3.13) and check what was packed
	@find functions layers -name __pycache__ -type d -prune -exec rm -rf {} +
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sam build --template-file template.yaml
	@$(BIN)/python -m tools.build_check .aws-sam/build

.PHONY: deploy
deploy: build ## deploy to AWS: ENV=dev or prod
	@$(BIN)/sam deploy --config-env $(ENV)

.PHONY: lock
lock: $(STAMP) ## pin the newest packages that fit together
	@cd requirements && ../$(COMPILE) --upgrade -o dev.txt dev.in
	@cd layers/deps && ../../$(COMPILE) --upgrade -c ../../requirements/dev.txt -o requirements.txt requirements.in

.PHONY: clean
clean: ## remove everything that was made here
	@rm -rf $(VENV) .local .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
	@find layers/deps/python -mindepth 1 -not -name .gitkeep -delete
	@echo "Removed the environment, the local state and everything built."
