# make run    judge the frameworks (first installs what is missing)
# make bench  time them, with accuracy and the machine's limit
# make report run and time everything, and make the site, in .lossvet/report
# make asv    the same for asv's pages, in .asv/html
# make test   all tests except the slow ones
# make test-slow   the slow tests (wheels, the browser, self-tests, timing), and the matrix
# make sweep  the tests that take an hour: the corpus of verify, `check` of every native loss, whole gate runs, kills
# make mutants   which mutants of lossvet's own code the tests kill; takes long
# make lint   ruff and mypy
# make install, make clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
COMPILED := tensorflow keras jax jaxlib optax torch sympy numpy scipy matplotlib

# Most of what is here starts processes, each of which would otherwise compile again whatever it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install run bench report asv test test-slow lint clean sweep mutants

install: $(INSTALLED)

# Reinstalled only if the requirements have changed.
$(INSTALLED): pyproject.toml constraints.txt
	@echo "installing into $(VENV): PyTorch, TensorFlow, JAX and tools; this takes some minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --disable-pip-version-check --no-compile --quiet -c constraints.txt -e '.[all,lint]'
	@# pip compiles one file at a time; without bytecode TensorFlow takes three times as long to start,
	@# and a gradient in PyTorch, which imports sympy, seconds more
	@$(BIN)/python -m compileall -q -j 2 $(addprefix $(VENV)/lib/python*/site-packages/,$(COMPILED)) || true
	@touch $@

run: $(INSTALLED)
	$(BIN)/lossvet run $(ARGS)

bench: $(INSTALLED)
	$(BIN)/lossvet bench $(ARGS)

report: $(INSTALLED)
	@# a difference (1) or a void benchmark (3) is still reported; make fails with it afterwards
	@$(BIN)/lossvet run --full; run=$$?; test $$run -le 1 || exit $$run; \
	    $(BIN)/lossvet bench; bench=$$?; test $$bench -le 1 -o $$bench -eq 3 || exit $$bench; \
	    $(BIN)/lossvet report $(ARGS) && test $$run -eq 0 && exit $$bench

asv: $(INSTALLED)
	$(BIN)/asv machine --yes
	$(BIN)/asv run -e -E existing:$(CURDIR)/$(BIN)/python --set-commit-hash $$(git rev-parse HEAD) \
	    --record-samples --launch-method spawn $(ARGS)
	$(BIN)/python -m lossvet.benchmarks.publish
	$(BIN)/asv publish

test: $(INSTALLED)
	@# three, whatever the machine: a third of the time of a test is spent waiting for a process that it started
	$(BIN)/pytest -n 3 --dist worksteal -m "not slow and not clock and not sweep" tests $(ARGS)

test-slow: $(INSTALLED)
	$(BIN)/pytest -n 2 --dist worksteal -m slow tests $(ARGS)
	@# of the few files that have any: to collect the others takes as long as most of these tests
	$(BIN)/pytest -m clock $$(grep -l mark.clock tests/test_*.py) $(ARGS)
	$(BIN)/lossvet run --confirmed

sweep: $(INSTALLED)
	$(BIN)/pytest -m sweep tests $(ARGS)
	$(BIN)/pytest src/lossvet/conformance

mutants: $(INSTALLED)
	@$(BIN)/pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[mutation]'
	$(BIN)/python tests/mutate.py $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .lossvet .asv
