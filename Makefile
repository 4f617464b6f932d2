# make demo     train LeNet-5 on the digits that come with fastnn: accuracy, out/lenet5.safetensors, out/lenet5.png
# make course   run all lessons of examples/course: what they print and draw goes to out/course
# make test     run the tests
# make lint     check style and format
# make clean    remove what these made
#
# Each installs what it needs into .venv, once, and again when pyproject.toml changes.
# Choose another Python with PYTHON=..., another environment with VENV=..., arguments for pytest with PYTEST_ARGS=...,
# for the course with COURSE_ARGS=...

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
COURSE_ARGS ?=

.PHONY: help demo course test lint clean

help:
	@sed -n '/^$$/q; s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.installed-plot
	@mkdir -p out
	$(VENV)/bin/fastnn train --data embedded --save out/lenet5.safetensors --plot out/lenet5.png

# On the full MNIST where FASTNN_DATA names its folder, else on the digits that come with fastnn.
course: $(VENV)/.installed-plot
	$(VENV)/bin/python examples/course/run.py out/course $(COURSE_ARGS)

test: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

# The installation is editable: a change of the sources needs no new one.
$(VENV)/.installed-plot $(VENV)/.installed-test $(VENV)/.installed-dev: $(VENV)/.installed-%: $(VENV)/.created pyproject.toml
	@echo "installing fastnn and its extra '$*' into $(VENV)"
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "fastnn needs Python 3.10 or newer as '$(PYTHON)'; name another one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null || \
	  { echo "'$(PYTHON)' cannot make virtual environments: install its venv package (Debian, Ubuntu: apt install python3-venv)" \
	    "or name another Python: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# Never removes an environment that was named with VENV=.
clean:
	rm -rf .venv out build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
