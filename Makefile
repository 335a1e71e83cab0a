# Zigbee2MQTT High Availability. `make` alone prints what can be made.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

FUZZTIME ?= 10s
TESTFLAGS ?=

HOST_ARCH := $(patsubst arm,armv6,$(shell go env GOARCH))
HELPER_ARCHES ?= amd64 arm64 armv6
HELPER_DIR := internal/host/helperbin/bin
HELPERS = $(HELPER_ARCHES:%=$(HELPER_DIR)/znp-helper-linux-%.gz)
HELPER_SOURCES := go.mod go.sum scripts/build-helper.sh \
	$(shell find cmd/znp-helper internal/dongle internal/host internal/storage/durable -name '*.go' ! -name '*_test.go' ! -path '*/helperbin/*' 2>/dev/null)

.PHONY: help
help: ## print the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

DEMO_LISTEN ?= 127.0.0.1:8099

.PHONY: demo
demo: demo-build ## a home with two simulated hosts, and its page; Ctrl-C ends it
	@bin/z2mha demo --listen $(DEMO_LISTEN)

.PHONY: tour
tour: demo-build ## move the same home's network there and back, then end
	@bin/z2mha demo --tour

.PHONY: demo-build
demo-build: assets
	@test -x bin/z2mha || echo "building, which takes a while the first time"
	@$(MAKE) --no-print-directory helpers HELPER_ARCHES=$(HOST_ARCH)
	@go build -o bin/ ./cmd/z2mha

.PHONY: assets
assets: web/assets/htmx.min.js ## fetch the page's script, HTMX, with npm
web/assets/htmx.min.js: scripts/fetch-assets.sh web/vendor/package-lock.json
	@scripts/fetch-assets.sh

.PHONY: build
build: assets helpers ## build bin/z2mha, bin/znp-helper and bin/znp-sim
	go build -trimpath -o bin/ ./cmd/...

.PHONY: helpers generate
generate: helpers ## make everything that is made from sources
helpers: $(HELPERS) ## build the znp-helper for each kind of host (HELPER_ARCHES)
	@:

$(HELPER_DIR)/znp-helper-linux-%.gz: $(HELPER_SOURCES)
	@scripts/build-helper.sh $* $@

.PHONY: test-deps
test-deps: ## install what the tests need: mosquitto, sshd, snmptrapd, Chromium, Zigbee2MQTT
	@scripts/test-deps.sh

.PHONY: test
test: assets helpers $(if $(filter true,$(CI)),lint) ## run all tests; with CI=true lint first and skip nothing
	@go run ./scripts/testsum -timeout 30m $(TESTFLAGS) ./...
	@echo 'rules that are broken on purpose, each found by the simulation:'
	@go run ./scripts/testsum -timeout 10m -tags brokenrules -run '^TestBrokenRulesAreFound$$' $(TESTFLAGS) ./internal/world/sim ./internal/world/wired

.PHONY: soak
soak: ## live simulated homes with random faults until you stop it
	@go test -count=1 -timeout 0 -run '^TestSoak$$' -v ./internal/world/sim -soak

.PHONY: race
race: assets helpers ## run all tests with the race detector
	@go run ./scripts/testsum -race -timeout 60m $(TESTFLAGS) ./...

.PHONY: e2e
e2e: assets helpers ## run only the end-to-end tests, on the real programs
	@go run ./scripts/testsum -count=1 -timeout 30m $(TESTFLAGS) ./e2e/...

.PHONY: lint
lint: ## check format, go vet, staticcheck and the lock file
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo 'lint: gofmt -w the files above' >&2; exit 1; }
	@go vet ./...
	@go tool staticcheck ./...
	@! grep -n '"resolved"' test/zigbee2mqtt/package-lock.json || { echo 'lint: lock with npm config omit-lockfile-registry-resolved=true' >&2; exit 1; }
	@echo 'lint: clean'

# What a measurement prints: its own lines, and what failed.
BENCH_LINES := sed -nE 's/^ +[a-z0-9_]+_test\.go:[0-9]+: //p; s/^ {8}//p; /^(---|FAIL|panic)/{/^--- PASS/!p}'
# The same where tests say much else.
MEASURED := sed -nE 's/^measured: //p; /^ *(--- FAIL|FAIL|panic)/p'

.PHONY: bench
bench: assets helpers ## measure; fails on exchanges, bytes and helper size, never on seconds
	@echo '== the stick'
	@go test -count=1 -run '^TestBudget' -v ./internal/dongle/... | $(BENCH_LINES)
	@echo '== the helper'
	@scripts/helper-sizes.sh $(HELPERS)
	@echo '== what happens on a host: capture, stage, promote, look; at most 2 s for the capture'
	@go test -count=1 -run '^TestBudget' -v ./internal/host/node ./internal/dongle/znpsim/z2mtest | $(BENCH_LINES)
	@echo '== a careful move there and back: real Zigbee2MQTT, emulated sticks'
	@go test -count=1 -run '^TestE2ESwitchoverThereAndBack$$' -v ./e2e | $(BENCH_LINES)
	@echo '== a move to a stand-by that is kept ready, lamp to lamp: at most 5, 6 and 9 s with 2, 5 and 15 ms for a request'
	@for request in 0ms 2ms 5ms 15ms; do echo "-- $$request"; \
		Z2MHA_PACED=$$request go test -count=1 -timeout 10m -run '^TestE2EFastMoves$$' -v ./e2e | $(BENCH_LINES); done
	@echo '== the lamp while the network is backed up, 5 ms for a request'
	@Z2MHA_PACED=5ms go test -count=1 -run '^TestE2ELampLatency$$' -v ./e2e | $(BENCH_LINES)
	@echo '== simulated homes with random faults'
	@go test -count=1 -run '^TestSeeds$$' -v ./internal/world/sim -seeds 2000 | $(BENCH_LINES) | grep 'a second'
	@echo '== simulated homes with random faults, over real SSH, SFTP and MQTT'
	@go test -count=1 -run '^TestSeeds$$' -v ./internal/world/wired | $(BENCH_LINES) | grep 'a second'
	@echo '== the page, and the program at rest'
	@Z2MHA_MEASURE=1 go test -count=1 -run '^TestPageMeasure$$' -v ./e2e | $(BENCH_LINES)
	@echo '== what is done by itself: from the break to the lamp, 20 times each, simulated Zigbee2MQTT, the policy of a home without one'
	@Z2MHA_MEASURE=1 go test -count=1 -timeout 60m -run '^TestBenchFailover$$' -v ./e2e | $(MEASURED)
	@echo '== the server at rest, with 2 and with 20 networks'
	@Z2MHA_MEASURE=1 go test -count=1 -timeout 30m -run '^TestBenchRest$$' -v ./e2e | $(MEASURED)
	@echo '== the image'
	@scripts/image-sizes.sh amd64 arm64

.PHONY: screenshot
screenshot: assets helpers ## take docs/overview.png anew; needs root, sshd and Chromium
	@Z2MHA_PICTURE=$(CURDIR)/docs/overview.png CI=true go test -count=1 -run '^TestPagePicture$$' -v ./e2e | $(BENCH_LINES)

.PHONY: golden
golden: ## rewrite the golden files; the diff is the review
	@for dir in $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -r -n1 dirname | sort -u); do go test $$dir -update; done

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (10s)
	@grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' . | sed -E 's/^(.*)\/[^/]+:[0-9]+:func (Fuzz.*)/\1 \2/' | \
		while read -r dir target; do echo "$$dir $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir; done

.PHONY: clean
clean: ## remove what was built
	rm -rf bin $(HELPER_DIR)/*.gz web/assets/htmx.min.js
