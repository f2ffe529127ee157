# shellcheck shell=bash
# lib.sh: what the scripts of this folder share. Sourced, not run.

# Everything that is fetched or written goes here; git ignores it.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034 # for those who source it
peers=$root/.peers

say() { printf '%s\n' "$*" >&2; }

die() {
	say "$0: $*"
	exit 1
}

# free_port prints a loopback port that nobody listens on.
free_port() {
	local port
	for _ in $(seq 50); do
		port=$((20000 + RANDOM % 12000))
		if ! answers "$port"; then
			printf '%s\n' "$port"
			return
		fi
	done
	die "no free port found"
}

# answers PORT: somebody listens there.
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# detach LOG COMMAND...: runs it in the background, apart from our own output, and
# prints its pid.
detach() {
	local log=$1
	shift
	"$@" </dev/null >"$log" 2>&1 &
	printf '%s\n' "$!"
}

# wait_port PID PORT LOG: until it answers; fails when the process ends first.
wait_port() {
	for _ in $(seq 300); do
		if ! kill -0 "$1" 2>/dev/null; then
			tail -n 20 "$3" >&2
			die "it ended before it was ready; its log is $3"
		fi
		if answers "$2"; then return; fi
		sleep 0.1
	done
	die "not ready after 30 s; its log is $3"
}

# stop PIDFILE COMMAND: ends the process we started, by its pid, if it still is
# that command: a pid is given to others in time.
stop() {
	local pid
	[[ -f $1 ]] || return 0
	pid=$(<"$1")
	rm -f "$1"
	if [[ $(ps -o comm= -p "$pid" 2>/dev/null) != "$2"* ]]; then return 0; fi
	kill "$pid" 2>/dev/null || return 0
	for _ in $(seq 100); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null || true
}
