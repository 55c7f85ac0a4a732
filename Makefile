# SPDX-License-Identifier: MIT
# make image   build the demo: from nothing to a flashable image (MACHINE=... for another machine than its own)
# make run     boot it in QEMU
# make test    everything that CI runs
PYTHON ?= python3
VENV ?= .venv
PRODUCT ?= examples/demo
MACHINE ?=
FOR := $(if $(MACHINE),--machine $(MACHINE))
BIN := $(VENV)/bin
DEBIAN := meta-pycontainer-debian
# Two processes, whatever the machine has: an emulated device keeps one core busy, and the tests wait for its clock.
SIDE_BY_SIDE := -n 2 --dist loadscope --no-loadscope-reorder
DEVICE := meta-pycontainer/recipes-core/pycontainer-device/files
LXC := meta-pycontainer/dynamic-layers/virtualization-layer/recipes-core/pycontainer-lxc/files

.PHONY: image run test lint unit device integration powercut powercut-full yocto bench lock clean

# What can be installed is; whether there is room the build finds out itself, when it has something to do.
image: $(VENV)/.ready
	$(BIN)/pycontainer doctor --for build,run $(FOR) --install --quiet
	$(BIN)/pycontainer build $(PRODUCT) $(FOR)

run: $(VENV)/.ready
	$(BIN)/pycontainer run $(PRODUCT) $(FOR)

test: $(VENV)/.ready-dev
	$(BIN)/pycontainer doctor --for build,run,test --install --quiet
	$(MAKE) lint
	$(MAKE) device
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --durations=40 --durations-min=10 tests/unit tests/integration
	$(MAKE) yocto

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=$(DEBIAN)/lib $(BIN)/mypy $(DEBIAN)/lib/pycontainer_debian
	MYPYPATH=meta-pycontainer/lib $(BIN)/mypy meta-pycontainer/lib/pycontainer
	$(BIN)/oelint-adv --quiet --relpaths --jobs 2 --release wrynose \
	  $$(git ls-files 'meta-pycontainer/*.bb' 'meta-pycontainer/*.bbappend')
	cd $(DEBIAN)/bitbake/lib && MYPYPATH=.:../../lib $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml \
	  pycontainer_bitbake hashserv prserv

unit: $(VENV)/.ready-dev
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/unit

device:
	$(MAKE) -C $(DEVICE) check BUILD=$(CURDIR)/build/device-check
	$(MAKE) -C $(LXC) check BUILD=$(CURDIR)/build/lxc-check

integration: $(VENV)/.ready-dev
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/integration

# Every write of an update recorded, cut everywhere, checked and started (docs/reliability.md): a selection, or all.
powercut: $(VENV)/.ready-dev
	$(BIN)/python -m tests.powercut
	$(BIN)/python -m tests.powercut.store --at-most 1

powercut-full: $(VENV)/.ready-dev
	$(BIN)/python -m tests.powercut --scenarios all --cuts 1200 --e2fsck 20 --boots 13
	$(BIN)/python -m tests.powercut.store

# Needs checkouts of OE-core and BitBake, which PYCONTAINER_OE_CORE and PYCONTAINER_BITBAKE name (docs/yocto.md).
yocto: $(VENV)/.ready-dev
	@if [ -n "$$PYCONTAINER_OE_CORE" ] && [ -n "$$PYCONTAINER_BITBAKE" ]; then $(BIN)/python tests/yocto/check; \
	  else echo "tests/yocto/check: not run, PYCONTAINER_OE_CORE and PYCONTAINER_BITBAKE are not set"; fi

bench: $(VENV)/.ready-dev
	$(BIN)/python bench/demo.py
	$(BIN)/python -m bench.device

# The virtual environment: pinned by hash; Debian splits the venv module off, so bring it when it is missing.
$(VENV)/bin/python:
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; $$sudo apt-get update && $$sudo apt-get install -y python3-venv; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# Renews both lock files from pyproject.toml.
lock: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet 'uv>=0.5'
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --extra build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --extra build --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(PRODUCT)/build build
