# Two commands: `make demo` and `make test`. Each does its own set-up inside this folder and can be run twice.
# Neither needs root or Docker. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CACHE := $(CURDIR)/.cache
READY := $(VENV)/.ready
PYTEST_ARGS ?=
PARTS := --editable '.[swarm,kubernetes,postgresql,demo,test,docs]'

export PIP_CACHE_DIR := $(CACHE)/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export npm_config_cache := $(CACHE)/npm
export JUPYTERCLOUD_NODE_FOLDER := $(CACHE)/node
# Where a machine sets it, each of the many Python processes of the tests compiles all its modules anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo demo-event test lint fix docs bench soak faults faults-engines test-engines engines engines-up engines-down tutorial
.PHONY: test-deploy images screenshots lock audit sbom clean

help:
	@echo "make demo          the whole federation on this machine; Ctrl-C ends it"
	@echo "make demo-event    a fair's hub, from its codes to its purge, in a browser that runs by itself"
	@echo "make test          all tests that need neither root nor Docker"
	@echo "make lint          ruff, mypy, the layering of the rooms; make fix mends what can be mended"
	@echo "make test-engines  root: builds (10 min, once) and starts the real engines (PostgreSQL, Docker Swarm, Kubernetes,"
	@echo "                   LemonLDAP::NG) and tests on them; make engines-up keeps them up, make engines-down ends them"
	@echo "make test-deploy   root: what takes too long for that: the images under the hardest rules, the Swarm stack with its"
	@echo "                   machines killed, its secrets rotated, its portal put up elsewhere, Grafana and Portainer beside it"
	@echo "make tutorial      root: the tutorial's commands, walked through in a fresh Debian"
	@echo "make bench         costs beside the peers'"
	@echo "make soak          1,000 simulated people over portal and two sites, beside stock JupyterHub (SOAK_ARGS); writes"
	@echo "                   the load report"
	@echo "make faults        breaks a running federation from a seed, and tells what held (FAULTS_ARGS)"
	@echo "make faults-engines   root: the same on a real Swarm and a real Kubernetes"
	@echo "make images        the container images: with docker and a registry, or a stand-in base (root)"
	@echo "make lock          freezes what the package stands on; make audit looks for known holes in it, make sbom lists it"
	@echo "make screenshots   takes the pictures of the docs anew"
	@echo "PYTHON=python3.12 VENV=.venv312 make test    on another Python"

$(READY): pyproject.toml
	@echo "[1/2] a virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Say PYTHON=python3.x"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Debian: apt install python3-venv"; exit 1; }
	@echo "[2/2] the package and what it stands on (a minute or less, once)"
	@$(BIN)/pip install --quiet 'uv>=0.5' && UV_CACHE_DIR=$(CACHE)/uv $(BIN)/uv pip install --quiet --python $(BIN)/python $(PARTS) || \
	  { echo "uv could not: pip, which takes longer, does it"; $(BIN)/pip install --quiet $(PARTS); }
	@touch $@

demo: $(READY)
	@$(BIN)/jupytercloud demo $(DEMO_ARGS)

demo-event: $(READY)
	@echo "a fair on this machine: made, warmed, a visitor's telephone, the board, closed, purged; in a browser, by itself"
	@$(BIN)/python -m tests.support.setup
	@JUPYTERCLOUD_SCREENSHOTS=demo-state/event $(BIN)/python -m pytest -m browser -s tests/browser/test_event_journey.py
	@echo "pictures: demo-state/event"

test: $(READY)
	@echo "tests on $$($(BIN)/python --version); make test-engines is for the real engines"
	@$(BIN)/python -m tests.support.setup
	@$(BIN)/python -m pytest -m "not engines" $(or $(PYTEST_ARGS),-n auto --dist loadfile)

test-engines: $(READY)
	@test "$$(id -u)" = 0 || { echo "make test-engines starts real engines and installs Debian packages: run it as root"; exit 1; }
	@tests/engines/install.sh
	@tests/engines/build.sh
	@$(BIN)/python -m pytest -m engines $(PYTEST_ARGS)

DEPLOY := tests/images/in_the_images.py \
  $(addprefix tests/deploy/,secrets_on_swarm.py options_on_swarm.py portal_on_swarm.py loss_of_machines.py)

test-deploy: $(READY)
	@test "$$(id -u)" = 0 || { echo "make test-deploy starts real engines and installs Debian packages: run it as root"; exit 1; }
	@tests/engines/install.sh
	@$(BIN)/python -m pytest -s -m engines $(or $(PYTEST_ARGS),$(DEPLOY))

engines: $(READY)
	@test "$$(id -u)" = 0 || { echo "make engines installs Debian packages: run it as root"; exit 1; }
	@tests/engines/install.sh
	@tests/engines/build.sh

engines-up: engines
	@tests/engines/swarm.sh up
	@tests/engines/kubernetes.sh up

engines-down:
	@tests/engines/down.sh

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	@$(BIN)/python -m tests.bench $(BENCH_ARGS)

soak: $(READY)
	@$(BIN)/python -m tests.soak $(or $(SOAK_ARGS),--report)

faults: $(READY)
	@$(BIN)/python -m tests.support.setup
	@$(BIN)/python -m tests.faults $(or $(FAULTS_ARGS),--seeds 20)

faults-engines: $(READY)
	@test "$$(id -u)" = 0 || { echo "make faults-engines starts real engines: run it as root"; exit 1; }
	@tests/engines/install.sh
	@tests/engines/build.sh
	@$(BIN)/python -m pytest -m engines tests/faults/on_swarm.py tests/faults/on_kubernetes.py $(PYTEST_ARGS)

tutorial: $(READY)
	@tests/engines/install.sh
	@$(BIN)/python -m pytest -m engines tests/tutorial.py

images:
	@images/build.sh

UV_COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
  --custom-compile-command "make lock"

lock: $(READY)
	$(UV_COMPILE) --extra swarm --extra kubernetes --extra postgresql pyproject.toml -o requirements/run.txt
	$(UV_COMPILE) --all-extras pyproject.toml -o requirements/all.txt
	echo 'hatchling>=1.27' | $(UV_COMPILE) --constraint requirements/all.txt - -o requirements/build.txt

audit: $(READY)
	@$(BIN)/pip install --quiet pip-audit
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements/run.txt

sbom: $(READY)
	@$(BIN)/pip install --quiet cyclonedx-bom
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml --of JSON -o dist/sbom.cdx.json

screenshots: $(READY)
	@$(BIN)/python -m tests.support.setup
	@JUPYTERCLOUD_SCREENSHOTS=docs/images $(BIN)/python -m pytest -m browser tests/browser tests/culling/test_in_jupyterlab.py

docs: $(READY)
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	DOCS_LANGUAGE=fr $(BIN)/sphinx-build -q -W --keep-going -d docs/_build/doctrees-fr -b html docs docs/_build/html/fr

clean:
	rm -rf .venv* .cache demo-state docs/_build
