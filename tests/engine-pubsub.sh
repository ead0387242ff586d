# shellcheck shell=bash
# tests/engine-pubsub.sh - Pub/Sub for tests/engines.sh: see there what each is.  The
# server is Google's emulator, which keeps nothing when it ends: before it stands
# tests/tool/pubsub.js, which writes down what it has acknowledged.

# shellcheck disable=SC2034 # they are engines.sh's
LASTS=yes MERGES=no DURABILITY='' READS='gcloud pubsub subscriptions * --topic hooks *'
# It takes seconds to start.
# shellcheck disable=SC2034
KILLS=2 KILLS_GUILTY=1 KILLS_COURIER=4 LIBRARY=''

. tests/emulator.sh

engine_missing() {
	emulator_missing
	command -v node >/dev/null || echo "what stands before the emulator needs Node"
}

# topic METHOD: makes it, deletes it
topic() {
	quietly engine emulator "$EMULATOR_PORT" "$1" /v1/projects/p/topics/hooks '{}'
}

engine_start() {
	if [ -z "${PID[before]:-}" ]; then
		export PUBSUB_EMULATOR_HOST=127.0.0.1:$ENGINE_PORT
		free_port
		EMULATOR_PORT=$PORT
		free_port
		REST_PORT=$PORT
		PORT=0
		touch "$T/record.pubsub"
		start before node tests/tool/pubsub.js "$ENGINE_PORT" "$REST_PORT" \
		    "$EMULATOR_PORT" "$T/record.pubsub"
	fi
	# Java starts sooner where nobody is told 503 a thousand times a second.
	[ -z "${PID[sender]:-}" ] || kill -STOP "${PID[sender]}"
	JAVA_TOOL_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx256m" \
	    start engine "$(emulator_program)" --host=127.0.0.1 "--port=$EMULATOR_PORT"
	within 40 topic PUT || return 1
	[ -z "${PID[sender]:-}" ] || kill -CONT "${PID[sender]}"
}

engine_kill() {
	kill -9 "${PID[engine]}"
	within 5 gone "${PID[engine]}"
	unset "PID[engine]"
}

engine_url() {
	echo "pubsub:projects/p/topics/hooks"
}

engine_ids() {
	node tests/tool/pubsub.js ids "$T/record.pubsub"
}

engine_body() {
	node tests/tool/pubsub.js body "$T/record.pubsub" "$1"
}

engine_json() {
	node tests/tool/pubsub.js json "$T/record.pubsub" "$1"
}

engine_settings() {
	topic DELETE || broken "the topic is deleted"
	engine_conf
	start courier "$T/bin/hooklatch-courier" -c "$CONF"
	check "without its topic it says how to make it" within 10 health_says \
	    'refused 1 there is no topic *gcloud pubsub topics create hooks --project p*'
	topic PUT || broken "the topic is made again"
	check "and goes on by itself when it is made" within 10 health_says 'stored*'
	stop courier || broken "the courier stops"

	# The same emulator as a destination, from an inbox on this machine.
	serve_conf <<-END
	{
		"inbox": "sqlite:@T@/inbox/inbox.db", "courier": "unix:@T@/inbox/courier.sock",
		"volatile": true, // the tests' folder may be memory
		"hooks": { "/hooks/github": { "provider": "github", "secret": "plain:$SECRET", "deliver": "topic" } },
		"destinations": { "topic": { "service": "pubsub", "topic": "projects/p/topics/hooks" } }
	}
	END
	export PUBSUB_EMULATOR_HOST=127.0.0.1:$REST_PORT
	check "serve starts with the topic as a destination" serve_start
	is "a GitHub push is answered 200" 200 "$(push destination "$T/push")"
	check "and is published" within 10 eval 'engine_ids | grep -qx destination'
	check "byte for byte" cmp "$T/push" <(engine_body destination)
	engine_kill
	is "while the emulator is away one is answered 200" 200 "$(push destination-2 "$T/push")"
	check "the emulator starts again" engine_start
	check "and has that, too" within 20 eval 'engine_ids | grep -qx destination-2'
	check "serve stops in order" serve_stop
}
