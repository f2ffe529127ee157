#!/usr/bin/env bash
# dynamodb-local.sh start [PIDFILE] | stop [PIDFILE] | install
#
# Installs DynamoDB Local with Maven into .peers/, starts it in memory on a free
# loopback port, and prints SWITCHBOARD_DYNAMODB_ENDPOINT=... when it answers.
#
# DynamoDB Local has a licence of its own (in its jar), which forbids passing it
# on: it is fetched by whoever runs this, and nothing of it may be committed.
# Version 3 needs Java 17; SWITCHBOARD_DYNAMODB_LOCAL picks another version.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=${SWITCHBOARD_DYNAMODB_LOCAL:-3.3.1}
home=$peers/dynamodb-local-$version
pidfile=${2:-$peers/dynamodb-local.pid}

# java17 prints a java of at least 17.
java17() {
	local java release
	for java in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
		[[ -n $java && -x $java ]] || continue
		release=$("$java" -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
		if [[ ${release:-0} -ge 17 ]]; then
			printf '%s\n' "$java"
			return
		fi
	done
	die "DynamoDB Local needs Java 17 or later"
}

# install fetches the jar, what it needs, and the SQLite library of every
# platform, which Maven files beside them. It is complete or it is not there.
install() {
	[[ -d $home ]] && return
	command -v mvn >/dev/null || die "Maven (mvn) is needed to fetch DynamoDB Local"
	mkdir -p "$peers"
	local fetching
	fetching=$(mktemp -d "$peers/fetching.XXXXXX")
	say "fetching DynamoDB Local $version into $home"
	cat >"$fetching/pom.xml" <<-POM
		<project xmlns="http://maven.apache.org/POM/4.0.0">
		  <modelVersion>4.0.0</modelVersion>
		  <groupId>switchboard.verify</groupId>
		  <artifactId>dynamodb-local</artifactId>
		  <version>1</version>
		  <dependencies>
		    <dependency>
		      <groupId>software.amazon.dynamodb</groupId>
		      <artifactId>DynamoDBLocal</artifactId>
		      <version>$version</version>
		    </dependency>
		  </dependencies>
		</project>
	POM
	if ! mvn -B -q -f "$fetching/pom.xml" dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$fetching/lib" >"$peers/dynamodb-local.mvn.log" 2>&1; then
		rm -rf "$fetching"
		die "Maven could not fetch it; its log is $peers/dynamodb-local.mvn.log"
	fi
	mv "$fetching" "$home"
}

start() {
	local java port pid log=$pidfile.log
	java=$(java17)
	install
	# It has no option to listen on loopback only.
	port=$(free_port)
	pid=$(DDB_LOCAL_TELEMETRY=0 detach "$log" "$java" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx1g \
		-Djava.library.path="$home/lib" -cp "$home/lib/*" \
		software.amazon.dynamodb.services.local.main.ServerRunner \
		-inMemory -sharedDb -disableTelemetry -port "$port")
	printf '%s\n' "$pid" >"$pidfile"
	wait_port "$pid" "$port" "$log"
	printf 'SWITCHBOARD_DYNAMODB_ENDPOINT=http://127.0.0.1:%s\n' "$port"
}

case ${1:-start} in
install) install ;;
start) start ;;
stop) stop "$pidfile" java ;;
*) die "start, stop or install?" ;;
esac
