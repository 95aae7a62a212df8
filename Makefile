# Needs: Debian or Ubuntu, Python >= 3.10 with venv and pip, a C++ compiler, git.
# Where a ROS installation is sourced, its packages are used and nothing of ROS is built.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete-$(or $(ROS_DISTRO),wheels)
OUT ?= demo

.PHONY: help setup demo test check format clean

help:  ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP)  ## make .venv from the lock file, and the interfaces the wheels lack

$(STAMP): overlay/setup.sh overlay/requirements.lock overlay/build.py overlay/interfaces.cmake \
          $(wildcard overlay/*/msg/*.msg overlay/*/CMakeLists.txt) setup.py setup.cfg
	@PYTHON=$(PYTHON) bash overlay/setup.sh $(VENV)
	@touch $@

demo: setup  ## a synthetic drive over real ROS topics: fused, scored and drawn
	$(BIN)/mm_fusion demo --out $(OUT)

test: setup  ## every test, the real ROS ones included
	$(BIN)/python -m pytest

check: setup  ## what CI runs: format, lint, types and every test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

format: setup  ## bring the code into form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove the environment and what the demo made
	rm -rf $(VENV) demo check build install log
