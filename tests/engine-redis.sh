# shellcheck shell=bash
# tests/engine-redis.sh - Redis for tests/engines.sh: see there what each is.

# shellcheck disable=SC2034 # they are engines.sh's
LASTS=yes MERGES=yes DURABILITY='' READS='redis-cli * XRANGE events'
FSYNC=always

engine_missing() {
	if ! command -v redis-server >/dev/null; then
		echo "redis-server is not installed"
	elif [[ $(ldd "$BUILD/hooklatch-courier") != *hiredis* ]]; then
		echo "the courier was built without libhiredis-dev"
	fi
}

redis() {
	redis-cli -p "$ENGINE_PORT" --raw "$@" 2>/dev/null
}

engine_start() {
	start engine redis-server --port "$ENGINE_PORT" --bind 127.0.0.1 \
	    --dir "$T/engine" --save '' --appendonly yes --appendfsync "$FSYNC" "$@"
	within 10 eval '[[ "$(redis PING)" =~ ^(PONG|NOAUTH) ]]'
}

engine_kill() {
	kill -9 "${PID[engine]}"
	within 5 gone "${PID[engine]}"
	unset "PID[engine]"
}

engine_url() {
	echo "redis://127.0.0.1:$ENGINE_PORT/3/events"
}

# fields NAME [ID]: that field of every message, or of those with the event_id
fields() {
	redis -n 3 EVAL '
		local out = {}
		for _, e in ipairs(redis.call("XRANGE", KEYS[1], "-", "+")) do
			local f = {}
			for i = 1, #e[2], 2 do f[e[2][i]] = e[2][i + 1] end
			if ARGV[2] == "" or f.event_id == ARGV[2] then
				out[#out + 1] = f[ARGV[1]]
			end
		end
		return out' 1 events "$1" "${2:-}"
}

engine_ids() {
	fields event_id
}

# redis-cli ends it with a newline of its own
engine_body() {
	fields body "$1" | head -c -1
}

engine_json() {
	fields event "$1"
}

engine_settings() {
	FSYNC=everysec
	engine_kill
	engine_start
	engine_conf
	start courier "$T/bin/hooklatch-courier" -c "$CONF"
	check "without appendfsync always it is refused, and it is said what to set" \
	    within 10 health_says 'refused 1 *"appendfsync" is "everysec"*CONFIG SET appendfsync always*'
	like "events are refused" "refused 1 *appendfsync*" "$(put -e weak || :)"
	redis CONFIG SET appendfsync always >/dev/null
	check "once it is set all is well by itself" within 10 health_says 'stored*'
	like "and events are stored" "stored *" "$(put -e strong)"
	redis CONFIG SET appendfsync everysec >/dev/null
	like "set back under way: the next is refused" "refused *" "$(put -e weak-again || :)"
	redis CONFIG SET appendfsync always maxmemory-policy allkeys-lru >/dev/null
	check "a Redis that may throw the stream away is refused" \
	    within 10 health_says 'refused 1 *"maxmemory-policy" is "allkeys-lru"*'
	redis CONFIG SET maxmemory-policy noeviction >/dev/null
	check "and once it is set all is well" within 10 health_says 'stored*'
	redis CONFIG SET maxmemory 1mb >/dev/null
	like "what a full Redis does not take is refused" \
	    "refused 1 the engine's memory is full" "$(put -e full || :)"
	redis CONFIG SET maxmemory 0 >/dev/null
	like "and taken when it has room, on the same connection" "stored *" \
	    "$(put -e full)"
	stop courier

	DURABILITY='"durability": "engine-default",'
	redis CONFIG SET appendfsync everysec >/dev/null
	engine_conf
	start courier "$T/bin/hooklatch-courier" -c "$CONF"
	check "with engine-default it is taken as it is" within 10 health_says 'stored*'
	stop courier

	DURABILITY='' FSYNC=always
	engine_kill
	engine_start --requirepass h-u-s-h
	engine_conf
	start courier "$T/bin/hooklatch-courier" -c "$CONF"
	check "no password: health says why" \
	    within 10 health_says 'refused 1 *without "inbox_secret"*'
	stop courier
	engine_conf '"inbox_secret": "plain:default:wr-on-g",'
	start courier "$T/bin/hooklatch-courier" -c "$CONF"
	check "a wrong password: health says why" \
	    within 10 health_says 'refused 1 *"inbox_secret" is not what it wants*'
	stop courier
	engine_conf '"inbox_secret": "plain:default:h-u-s-h",'
	start courier "$T/bin/hooklatch-courier" -c "$CONF"
	check "the right one: all is well" within 10 health_says 'stored*'
	stop courier
	is "no password is in a log" "" \
	    "$(grep -lE 'h-u-s-h|wr-on-g' "$T/log/courier" "$T/log/serve" || :)"

	engine_conf '"inbox_secret": "plain:h-u-s-h",'
	sed -i 's#"redis:#"rediss:#' "$CONF"
	check "TLS, which the library lacks, is refused when it starts" \
	    eval '! "$T/bin/hooklatch-courier" -c "$CONF" 2>"$T/out"'
	like "with what to do" "*no TLS*tunnel*" "$(cat "$T/out")"
}
