# Every target does its own set-up, once: an environment in .venv with the versions of constraints.txt.
# Type `make help` for what there is.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help demo test test-all test-lab test-models test-slicer58 lint format bench-accuracy bench-speed bench-models bench-mr bench-panel bench-phase bench-steatosis \
	bench-cancel bench-cohort bench-correct bench-networks bench-server bench-training second-look lesion-growth lesion-opening recipes train clean distclean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_TORCH := $(VENV)/.ready-torch
READY_TEST := $(VENV)/.ready-test
READY_TRAIN := $(VENV)/.ready-train
SYSTEM := $(VENV)/.system-libraries
PROGRAMS := $(VENV)/.programs

VENV58 := .venv-slicer58
READY58 := $(VENV58)/.ready
# nnU-Net, whose predictor other people's models are compared with, wants some dozens of packages.
VENV_MODELS := .venv-models
READY_MODELS := $(VENV_MODELS)/.ready

# PYTHON=... chooses the interpreter of .venv; constraints.txt asks for 3.11 or newer.
PYTHON ?=
# PYTHON39=... chooses the interpreter of .venv-slicer58.
PYTHON39 ?=
# TORCH_INDEX=URL: a package index with CPU builds of PyTorch, where the usual one has only large GPU builds.
TORCH_INDEX ?=
# PYTEST="-k name -x": further arguments for the test runner.
PYTEST ?=
# DATA=FOLDER: the cases of bench-accuracy (dataset.json and what it names).
DATA ?= $(wildcard ../shared/data)

PIP := -m pip --disable-pip-version-check install --quiet
TORCH_FROM := $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
SAMPLE := Resources/SampleData/hcc013-portal.nii.gz
DEMO := demo-output

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(READY) $(SYSTEM) ## segment the sample CT: masks, numbers, pictures and a report in demo-output/
	@$(BIN)/liverseg segment $(SAMPLE) -o $(DEMO)

test: $(READY_TEST) $(SYSTEM) $(PROGRAMS) ## the tests but the slow ones; COVERAGE=1 counts the lines they run
	@$(BIN)/python Testing/tools/run_tests.py $(if $(COVERAGE),--coverage) -m "not slow" $(PYTEST)

test-all: $(READY_TEST) $(SYSTEM) $(PROGRAMS) ## all tests, with coverage
	@$(BIN)/python Testing/tools/run_tests.py --coverage $(PYTEST)
	@$(BIN)/python Testing/tools/run_tests.py --laboratory --coverage $(PYTEST)

test-lab: $(READY_TEST) ## the laboratory's tests: networks, losses, data, training, evaluation
	@$(BIN)/python Testing/tools/run_tests.py --laboratory $(if $(COVERAGE),--coverage) -m "not slow" $(PYTEST)

test-models: $(READY_MODELS) ## other people's models against nnU-Net's own predictor, some minutes
	@$(VENV_MODELS)/bin/python -m pytest -s -p no:cacheprovider Testing/Core/test_nnunet_parity.py $(PYTEST)

test-slicer58: $(READY58) ## the core's tests with the versions that 3D Slicer 5.8 has (Python 3.9)
	@OMP_NUM_THREADS=1 $(VENV58)/bin/python -m pytest -n logical --maxprocesses 8 --dist worksteal -m "not slow" -p no:cacheprovider Testing/Core $(PYTEST)

lint: $(READY_TEST) ## ruff's rules and formatting, the core's types, and what Slicer would refuse
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python Testing/lint
	@$(BIN)/python Testing/tools/listed_files.py

format: $(READY_TEST) ## let ruff mend imports and formatting
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench-accuracy: $(READY) ## Dice, lesions and negatives on validation cases: DATA=FOLDER BESIDE="MODEL FILE.json"
	@if [ -z "$(DATA)" ] || [ ! -f "$(DATA)/dataset.json" ]; then \
	  echo "bench-accuracy needs labelled scans: make bench-accuracy DATA=FOLDER (a folder with dataset.json)" >&2; exit 2; fi
	@$(BIN)/python Testing/Benchmarks/accuracy.py "$(DATA)" \
	  --beside Testing/Benchmarks/default-1.2.0.json Testing/Benchmarks/pyliverlesionseg.json $(BESIDE)

bench-mr: $(READY) ## the model for MR on the test patients of the CHAOS MR slices: CHAOS=FOLDER MODEL=NAME
	@if [ -z "$(CHAOS)" ]; then echo "bench-mr needs the CHAOS MR slices: make bench-mr CHAOS=FOLDER (docs/mr.md)" >&2; exit 2; fi
	@$(BIN)/python Testing/Benchmarks/mr.py "$(CHAOS)" $(if $(MODEL),--model "$(MODEL)")

bench-phase: $(READY) ## the contrast phase estimated on every series: DATA=FOLDER
	@if [ -z "$(DATA)" ] || [ ! -f "$(DATA)/dataset.json" ]; then \
	  echo "bench-phase needs scans: make bench-phase DATA=FOLDER (a folder with dataset.json)" >&2; exit 2; fi
	@$(BIN)/python Testing/Benchmarks/phase.py "$(DATA)"

bench-steatosis: $(READY) ## attenuation ROIs on phantoms with known fat, and on real scans: DATA=FOLDER
	@$(BIN)/python Testing/Benchmarks/steatosis.py $(if $(wildcard $(DATA)/dataset.json),"$(DATA)")

bench-panel: $(READY_TEST) $(SYSTEM) ## how long the module keeps Slicer's window waiting, on the stand-in for Slicer
	@QT_QPA_PLATFORM=offscreen $(BIN)/python Testing/Benchmarks/panel.py

bench-speed: $(READY_TRAIN) ## seconds and memory of whole runs, and our tiles against MONAI's
	@$(BIN)/python Testing/Benchmarks/speed.py

bench-models: $(READY_MODELS) ## other people's models, from file to file, against nnU-Net's own predictor: seconds and memory
	@$(VENV_MODELS)/bin/python Testing/Benchmarks/models.py

bench-cancel: $(READY) ## how soon cancelling acts, per stage: SLICES=N for a large scan, LOAD=N busy processes
	@$(BIN)/python Testing/Benchmarks/cancel.py $(if $(SLICES),--slices $(SLICES)) $(if $(LOAD),--load $(LOAD))

bench-correct: $(READY) ## what clicks of a simulated reader bring, beside region growing, geodesics, graph cut: DATA=FOLDER
	@if [ -z "$(DATA)" ] || [ ! -f "$(DATA)/dataset.json" ]; then \
	  echo "bench-correct needs labelled scans: make bench-correct DATA=FOLDER (a folder with dataset.json)" >&2; exit 2; fi
	@$(BIN)/python Testing/Benchmarks/correct.py "$(DATA)" $(if $(CACHE),--cache "$(CACHE)")

bench-cohort: $(READY_TEST) $(SYSTEM) ## a cohort beside a shell loop, kill drills, 10,000 cases of bookkeeping: PARTS="drills", SCANS=N CASES=N DATA=FOLDER
	@$(BIN)/python Testing/Benchmarks/cohort.py $(PARTS) $(if $(SCANS),--scans $(SCANS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(MATRIX),--matrix $(MATRIX)) $(if $(CASES),--cases $(CASES)) $(if $(DATA),--data "$(DATA)")

bench-server: $(READY_TEST) ## load and fault drills of `liverseg serve` on loopback: CLIENTS=N
	@$(BIN)/python Testing/Benchmarks/server.py $(if $(CLIENTS),--clients $(CLIENTS))

train: $(READY_TRAIN) ## train the bundled model again, on a GPU or some hours of CPU: DATA=FOLDER; stops and resumes
	@if [ -z "$(DATA)" ] || [ ! -f "$(DATA)/dataset.json" ]; then \
	  echo "train needs labelled scans: make train DATA=FOLDER (a folder with dataset.json)" >&2; exit 2; fi
	@mkdir -p runs
	@[ -f runs/pack.npz ] || $(BIN)/python -m LiverSegLib.training.pack "$(DATA)" runs/pack.npz
	@$(BIN)/liverseg train bundled-locate --run runs/locate
	@$(BIN)/liverseg train bundled-segment --run runs/segment
	@$(BIN)/liverseg train bundled-lesions --run runs/lesions
	@$(BIN)/python -m LiverSegLib.training.export runs Resources/Models/default --pack runs/pack.npz \
	  --card LiverSegLib/training/default-card.json
	@$(BIN)/liverseg export Resources/Models/default

recipes: $(READY_TEST) ## every ready recipe end to end on made-up scans: train, resume, export, segment
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 8 -p no:cacheprovider Testing/Laboratory/test_recipes.py $(PYTEST)

bench-training: $(READY_TRAIN) ## steps a second of the trainer beside a bare loop over random tensors: STEPS=N THREADS=N
	@$(BIN)/python Testing/Benchmarks/training.py $(if $(STEPS),--steps $(STEPS)) $(if $(THREADS),--threads $(THREADS))

second-look: $(READY_TRAIN) ## fit which lesions of a model are lesions, patients left out: DATA=FOLDER MODEL=NAME WRITE=model.json
	@if [ -z "$(DATA)" ] || [ ! -f "$(DATA)/dataset.json" ]; then \
	  echo "second-look needs labelled scans: make second-look DATA=FOLDER (a folder with dataset.json)" >&2; exit 2; fi
	@$(BIN)/python Testing/Benchmarks/second_look.py "$(DATA)" $(if $(MODEL),--model "$(MODEL)") $(if $(WRITE),--write "$(WRITE)")

lesion-growth: $(READY_TRAIN) ## fit how far a model's lesions grow to their borders: DATA=FOLDER MODEL=NAME WRITE=model.json
	@if [ -z "$(DATA)" ] || [ ! -f "$(DATA)/dataset.json" ]; then \
	  echo "lesion-growth needs labelled scans: make lesion-growth DATA=FOLDER (a folder with dataset.json)" >&2; exit 2; fi
	@$(BIN)/python Testing/Benchmarks/lesion_growth.py "$(DATA)" $(if $(MODEL),--model "$(MODEL)") $(if $(WRITE),--write "$(WRITE)")

lesion-opening: $(READY) ## how wide a part of a lesion must be to stay: Dice and diameters, DATA=FOLDER MODEL=NAME
	@if [ -z "$(DATA)" ] || [ ! -f "$(DATA)/dataset.json" ]; then \
	  echo "lesion-opening needs labelled scans: make lesion-opening DATA=FOLDER (a folder with dataset.json)" >&2; exit 2; fi
	@$(BIN)/python Testing/Benchmarks/lesion_opening.py "$(DATA)" $(if $(MODEL),--model "$(MODEL)")

bench-networks: $(READY_TRAIN) ## every network on the same scans for the same steps, hours: DATA=FOLDER STEPS=N NETWORKS="A B"
	@if [ -z "$(DATA)" ] || [ ! -f "$(DATA)/dataset.json" ]; then \
	  echo "bench-networks needs labelled scans: make bench-networks DATA=FOLDER (a folder with dataset.json)" >&2; exit 2; fi
	@mkdir -p benchmark-output
	@$(BIN)/python Testing/Benchmarks/networks.py "$(DATA)" benchmark-output/networks $(if $(STEPS),--steps $(STEPS)) \
	  $(if $(THREADS),--threads $(THREADS)) $(if $(NETWORKS),--networks $(NETWORKS))

clean: ## remove what tests, benchmarks and the demonstration left
	@rm -rf $(DEMO) benchmark-output build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis htmlcov .coverage .coverage.*
	@find LiverSegLib Testing -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## also remove the environments
	@rm -rf $(VENV) $(VENV58) $(VENV_MODELS)

# --- environments -------------------------------------------------------------------------------------------------

FIND_PYTHON = for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	    && { found=$$candidate; break; }; done

$(BIN)/python:
	@found=; $(FIND_PYTHON); \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.11 to 3.13 with venv found. Install one (Debian: python3 python3-venv) or say PYTHON=/its/path." >&2; exit 1; fi; \
	echo "Making $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv $(VENV)

$(READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the pinned packages into $(VENV)"
	@$(BIN)/python $(PIP) -c constraints.txt hatchling editables
	@$(BIN)/python $(PIP) -c constraints.txt --no-build-isolation -e '.[report]'
	@touch $@

# PyTorch by itself: with the pinned build in place nothing else asks the index for another one.
$(READY_TORCH): constraints.txt | $(BIN)/python
	@echo "Installing PyTorch into $(VENV) (the large one)"
	@$(BIN)/python $(PIP) -c constraints.txt $(TORCH_FROM) torch
	@touch $@

$(READY_TEST): $(READY) $(READY_TORCH)
	@echo "Installing what the tests need, Slicer's libraries and Qt among it"
	@$(BIN)/python $(PIP) -c constraints.txt --no-build-isolation -e '.[agreement,cohort,dicom,dicomweb,report,server,test,train,slicer-host]'
	@touch $@

$(READY_TRAIN): $(READY) $(READY_TORCH)
	@$(BIN)/python $(PIP) -c constraints.txt --no-build-isolation -e '.[export,onnxruntime,report,train]'
	@touch $@

$(READY_MODELS): pyproject.toml constraints.txt constraints-models.txt | $(BIN)/python
	@echo "Installing nnU-Net and what it needs into $(VENV_MODELS)"
	@$(BIN)/python -m venv $(VENV_MODELS)
	@$(VENV_MODELS)/bin/python $(PIP) -c constraints.txt -c constraints-models.txt $(TORCH_FROM) torch torchvision
	@$(VENV_MODELS)/bin/python $(PIP) -c constraints.txt -c constraints-models.txt hatchling editables
	@$(VENV_MODELS)/bin/python $(PIP) -c constraints.txt -c constraints-models.txt --no-build-isolation -e '.[test]' \
	  nnunetv2 onnx onnxruntime openvino
	@touch $@

# Libraries that drawing without a screen needs on Debian and Ubuntu: "library-file package".
LIBRARIES := libGL.so.1:libgl1 libEGL.so.1:libegl1 libOSMesa.so.8:libosmesa6 libxkbcommon.so.0:libxkbcommon0 \
	libdbus-1.so.3:libdbus-1-3 libfontconfig.so.1:libfontconfig1 libglib-2.0.so.0:libglib2.0-0

$(SYSTEM): | $(BIN)/python
	@if [ "$$(uname -s)" = Linux ]; then \
	  known=$$(PATH="$$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true); missing=; \
	  for pair in $(LIBRARIES); do \
	    [[ "$$known" == *"$${pair%%:*}"* ]] || missing="$$missing $${pair##*:}"; done; \
	  if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing$$missing"; apt-get update -qq; \
	    for package in $$missing; do \
	      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$package" >/dev/null \
	        || echo "$$package cannot be installed; \`liverseg doctor\` tells whether pictures can be drawn without it." >&2; done; \
	  elif [ -n "$$missing" ]; then \
	    echo "For pictures without a screen some libraries may be missing. On Debian or Ubuntu: sudo apt-get install$$missing" >&2; \
	  fi; \
	fi
	@touch $@

# Programs that some tests talk to, on Debian and Ubuntu: "program:package". Tests that miss theirs say so.
SERVICES := dciodvfy:dicom3tools Orthanc:orthanc,orthanc-dicomweb slurmctld:slurm-wlm,munge

$(PROGRAMS): $(SYSTEM)
	@missing=; for pair in $(SERVICES); do \
	  PATH="$$PATH:/usr/sbin" command -v "$${pair%%:*}" >/dev/null || missing="$$missing $${pair##*:}"; done; missing=$${missing//,/ }; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing$$missing"; apt-get update -qq; \
	  for package in $$missing; do \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$package" >/dev/null \
	      || echo "$$package cannot be installed; the tests that need it are skipped." >&2; done; \
	elif [ -n "$$missing" ]; then \
	  echo "Some tests are skipped without programs that are missing. On Debian or Ubuntu: sudo apt-get install$$missing" >&2; \
	fi
	@touch $@

$(VENV58)/bin/python:
	@found=; \
	for candidate in $(PYTHON39) python3.9 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.9.*/bin/python3.9 \
	    "$$(uv python find 3.9 2>/dev/null || true)"; do \
	  [ -n "$$candidate" ] && "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 9))' 2>/dev/null \
	    && { found=$$candidate; break; }; done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.9 found, which 3D Slicer 5.8 has. Install one (pyenv install 3.9, uv python install 3.9) or say PYTHON39=/its/path." >&2; \
	  exit 1; fi; \
	"$$found" -m venv $(VENV58)

$(READY58): constraints-slicer58.txt | $(VENV58)/bin/python $(SYSTEM)
	@echo "Installing Slicer 5.8's versions into $(VENV58) (several GB where PyTorch comes as GPU build; see TORCH_INDEX)"
	@$(VENV58)/bin/python $(PIP) -c constraints-slicer58.txt $(TORCH_FROM) torch
	@$(VENV58)/bin/python $(PIP) -c constraints-slicer58.txt numpy scipy SimpleITK pydicom pillow vtk typer rich \
	  onnx onnxruntime openvino \
	  dicomweb-client fastapi highdicom requests trustme uvicorn \
	  coverage hypothesis pytest pytest-cov pytest-timeout pytest-xdist safetensors
	@touch $@
