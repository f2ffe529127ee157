#!/usr/bin/env bash
# redis.sh start [PIDFILE] | stop [PIDFILE] | install
#
# Starts a redis-server without persistence on a free loopback port and prints
# SWITCHBOARD_REDIS_URL=... when it answers. Where there is none it is installed
# with apt-get.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pidfile=${2:-$peers/redis.pid}

install() {
	command -v redis-server >/dev/null && return
	command -v apt-get >/dev/null || die "redis-server is missing, and there is no apt-get to install it"
	local as=()
	if [[ $(id -u) -ne 0 ]]; then as=(sudo); fi
	mkdir -p "$peers"
	say "installing redis-server"
	# RUNLEVEL keeps the package from starting a server of its own.
	if ! { "${as[@]}" apt-get update && "${as[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends redis-server; } >"$peers/redis.apt.log" 2>&1; then
		die "apt-get failed; its log is $peers/redis.apt.log"
	fi
}

start() {
	local port pid log=$pidfile.log
	install
	mkdir -p "$peers"
	port=$(free_port)
	pid=$(detach "$log" redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no \
		--dir "$peers" --daemonize no)
	printf '%s\n' "$pid" >"$pidfile"
	wait_port "$pid" "$port" "$log"
	printf 'SWITCHBOARD_REDIS_URL=redis://127.0.0.1:%s/0\n' "$port"
}

case ${1:-start} in
install) install ;;
start) start ;;
stop) stop "$pidfile" redis-server ;;
*) die "start, stop or install?" ;;
esac
