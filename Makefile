# Every target sets up what it needs in .venv and does nothing twice. Python 3.11 or newer and make are enough.

BIN := .venv/bin
ROOMS := agent benchmarks datasets envs model train
# nproc obeys OMP_NUM_THREADS, which says nothing about how many tests may run at once.
JOBS ?= $(shell env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
OUT ?= runs/embodio-nano

.PHONY: help run test check setup setup-all vima clean

help:
	@echo "make run      tell embodio-nano ten times by a voice to lift a cube, then a report with videos and a tour"
	@echo "make test     lint, types and all tests"
	@echo "make check    lint, format and types only"
	@echo "make setup    only install what \`make run\` needs, into .venv"
	@echo "make vima VIMABENCH=FOLDER   VIMA's benchmark from a clone of it, and three episodes of its oracle"
	@echo "make clean    remove .venv and caches; runs and data are kept"

run: setup
	@$(BIN)/embodio-rollout agent=embodio-nano env=robosuite/lift spoken=lift-aloud episodes=10 seed=10000 video=3 \
		restart=true out=$(OUT)
	@$(BIN)/embodio-tour out=$(OUT)/tour
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] && command -v xdg-open >/dev/null; then \
		xdg-open $(OUT)/tour/tour.html >/dev/null 2>&1 || true; \
	fi

# Tests start hundreds of processes, each of which would compile our sources where Python is told to keep no bytecode.
test: check
	@PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile

check: setup-all
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@mkdir -p .venv/typing/embodio
	@for room in $(ROOMS); do ln -sfn ../../../$$room .venv/typing/embodio/$$room; done
	@MYPYPATH=.venv/typing $(BIN)/mypy $(ROOMS:%=-p embodio.%)
	@$(BIN)/mypy scripts

setup:
	@scripts/venv.sh
	@$(BIN)/python scripts/install.py base
	@$(BIN)/python scripts/graphics.py

setup-all:
	@scripts/venv.sh
	@$(BIN)/python scripts/install.py all
	@$(BIN)/python scripts/graphics.py

vima:
	@scripts/venv.sh
	@$(BIN)/python scripts/vimabench.py "$(VIMABENCH)"
	@$(BIN)/python scripts/install.py vima
	@$(BIN)/embodio-rollout agent=expert env=vima/rotate episodes=3 seed=1 video=1 restart=true out=runs/vima

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
