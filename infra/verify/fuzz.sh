#!/usr/bin/env bash
# Fuzzes every fuzz target of the module for the given time each (default 10s).
set -euo pipefail
cd "$(dirname "$0")/../.."
time=${1:-10s}
grep -rlE '^func Fuzz' --include='*_test.go' functions shared | sort | while read -r file; do
	package=./$(dirname "$file")
	grep -oE '^func (Fuzz[A-Za-z0-9_]*)' "$file" | cut -d' ' -f2 | while read -r target; do
		echo "== $package $target"
		go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time"
	done
done
