#!/usr/bin/env bash
# verify.sh [GO TEST ARGUMENTS]
#
# Runs the tests that judge our drivers by the real thing: starts DynamoDB Local
# and redis-server, tells the tests where they are, and stops both however it
# ends. `make verify` calls it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$root/infra/verify

# Two runs at a time do not stop each other's servers.
mkdir -p "$peers"
run=$(mktemp -d "$peers/run.XXXXXX")

finish() {
	local code=$?
	trap - EXIT
	"$here/dynamodb-local.sh" stop "$run/dynamodb-local.pid" || code=1
	"$here/redis.sh" stop "$run/redis.pid" || code=1
	if [[ $code -eq 0 ]]; then
		rm -rf "$run"
	else
		say "the servers' logs are in $run"
	fi
	exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

started=$("$here/dynamodb-local.sh" start "$run/dynamodb-local.pid")
export "${started?}"
say "$started"
started=$("$here/redis.sh" start "$run/redis.pid")
export "${started?}"
say "$started"

cd "$root"
# Everything under the race detector; what has a real peer meets it here.
CGO_ENABLED=1 go test -race -shuffle=on -count=1 "$@" ./...

# The attacks across tenants, at length; and 64 at a time under the race detector.
go test -count=1 -timeout 20m -run 'TestMatrix|TestTwoWorlds' ./shared/isolationtest -attempts 1000000 -programs 500 -actions 50
go test -count=1 -v -run TestTiming ./shared/isolationtest -samples 5000 | grep 'class 24\|^ok\|FAIL'
CGO_ENABLED=1 go test -race -count=1 -timeout 20m -run TestConcurrent ./shared/isolationtest -concurrent 20000

# Seeded defects: each has to be noticed by the test that it names.
go run ./shared/isolationtest/mutants

# The template is judged by the SAM CLI in a script of its own.
if [[ -f template.yaml && -x $here/sam.sh ]]; then "$here/sam.sh"; fi
