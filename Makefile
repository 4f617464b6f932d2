# make demo     train LeNet-5 on the digits that come with fastnn: accuracy, out/lenet5.safetensors, out/lenet5.png
# make course   run all lessons of examples/course: what they print and draw goes to out/course
# make test     run the tests
# make lint     check style and format
# make clean    remove what these made, but not results of benchmarks
#
# make bench                             measure this commit: a quarter of an hour, results in asv_bench/results
# make bench-quick                       measure some cases of it: less than five minutes
# make bench-history RANGE=main~5..main  measure the commits of a range, which are built in environments of their own
# make bench-compare BASE=main           fail if something is slower than where this branch left main, by more than FACTOR=1.15
# make bench-check                       check that bench-compare finds a slower kernel, and nothing where nothing has changed
# make bench-share                       merge results with those on the branch benchmark-results of origin, and push them there
# make dashboard                         write asv_bench/html/index.html from the results; TORCH=1 measures PyTorch's training anew
# make dashboard-serve                   and serve it at http://localhost:8000, or another PORT=...
# make readme                            write README's table of kernels and the picture of the dashboard, from the results
#
# Each installs what it needs into .venv, once, and again when pyproject.toml changes.
# Choose another Python with PYTHON=..., another environment with VENV=..., arguments for pytest with PYTEST_ARGS=...,
# for the course with COURSE_ARGS=..., benchmarks by a regular expression with BENCH=..., and the name to keep their results
# under, instead of the host's, with MACHINE=...

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
COURSE_ARGS ?=
BENCH ?=
MACHINE ?=
TORCH ?=
RANGE ?=
BASE ?= main
FACTOR ?= 1.15
PORT ?= 8000

# A variable's text as one word of the shell, whatever is in it: regular expressions have dollars and apostrophes.
quoted = '$(subst ','\'',$(value $1))'
machine_option = $(if $(value MACHINE),--machine $(call quoted,MACHINE))
bench_options = $(if $(value BENCH),--bench $(call quoted,BENCH)) $(machine_option)
# Where PyTorch is installed, its training is measured once, unless TORCH=0.
torch_option = $(if $(TORCH),$(if $(filter 0 no,$(TORCH)),--no-torch,--torch)) $(machine_option)

.PHONY: help demo course test lint clean
.PHONY: bench bench-quick bench-history bench-compare bench-check bench-share dashboard dashboard-serve readme

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

bench: $(VENV)/.installed-bench
	$(VENV)/bin/python tools/bench.py run $(bench_options)

bench-quick: $(VENV)/.installed-bench
	$(VENV)/bin/python tools/bench.py quick $(bench_options)

bench-history: $(VENV)/.installed-bench
	$(VENV)/bin/python tools/bench.py history $(call quoted,RANGE) $(bench_options)

bench-compare: $(VENV)/.installed-bench
	$(VENV)/bin/python tools/bench.py compare $(call quoted,BASE) --factor $(call quoted,FACTOR) $(bench_options)

bench-check: $(VENV)/.installed-bench
	$(VENV)/bin/python tools/check_bench_compare.py

bench-share: $(VENV)/.installed-bench
	$(VENV)/bin/python tools/bench.py share

dashboard: $(VENV)/.installed-bench
	$(VENV)/bin/python -m asv_bench.dashboard $(torch_option)

dashboard-serve: dashboard
	$(VENV)/bin/python -m http.server --bind localhost --directory asv_bench/html $(PORT)

readme: $(VENV)/.installed-bench
	$(VENV)/bin/python tools/write_benchmarks.py --write README.md --picture docs/dashboard.png

# The installation is editable: a change of the sources needs no new one.
$(VENV)/.installed-plot $(VENV)/.installed-test $(VENV)/.installed-bench $(VENV)/.installed-dev: $(VENV)/.installed-%: $(VENV)/.created pyproject.toml
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
	rm -rf .venv out build dist *.egg-info .pytest_cache .ruff_cache .hypothesis asv_bench/env asv_bench/html asv_bench/compare
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
