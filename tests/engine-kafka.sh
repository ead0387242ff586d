# shellcheck shell=bash
# tests/engine-kafka.sh - Kafka for tests/engines.sh: see there what each is.  The
# cluster is librdkafka's mock: it speaks the protocol, and keeps in memory alone.

# shellcheck disable=SC2034 # they are engines.sh's
LASTS=no MERGES=no DURABILITY='"durability": "engine-default",'
# shellcheck disable=SC2034
READS='kcat -b * -t events' RATE=60

engine_missing() {
	if [[ $(ldd "$BUILD/hooklatch-courier") != *rdkafka* ]]; then
		echo "the courier was built without librdkafka-dev"
	fi
}

kafka() {
	[ -x "$T/bin/kafka" ] || gcc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra \
	    -o "$T/bin/kafka" tests/tool/kafka.c -lrdkafka
	[ $# -eq 0 ] || "$T/bin/kafka" "$@"
}

# The mock forgets when it ends: to be away its brokers go down, to come back, up.
engine_start() {
	kafka
	if [ -n "${PID[engine]:-}" ]; then
		kill -USR2 "${PID[engine]}"
		return
	fi
	start engine "$T/bin/kafka" serve "$T/kafka.servers"
	within 10 test -s "$T/kafka.servers"
}

engine_kill() {
	kill -USR1 "${PID[engine]}"
}

engine_url() {
	echo "kafka://$(cat "$T/kafka.servers")/events"
}

engine_ids() {
	kafka "$(cat "$T/kafka.servers")" events ids
}

engine_body() {
	kafka "$(cat "$T/kafka.servers")" events body "$1"
}

engine_json() {
	kafka "$(cat "$T/kafka.servers")" events json "$1"
}

engine_settings() {
	DURABILITY=''
	engine_conf
	start courier "$T/bin/hooklatch-courier" -c "$CONF"
	check "strict, of a cluster that does not say what its topic is, is refused" \
	    within 15 health_says 'refused 1 *does not say*allow DescribeConfigs*'
	stop courier || broken "the courier stops"
	DURABILITY='"durability": "engine-default",'
	engine_conf '"inbox_secret": "plain:token",'
	check "a secret that is no USER:PASSWORD is refused when it starts" \
	    eval '! "$T/bin/hooklatch-courier" -c "$CONF" 2>"$T/out"'
	like "with what to write" "*USER:PASSWORD*" "$(cat "$T/out")"
}
