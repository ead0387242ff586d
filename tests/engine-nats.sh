# shellcheck shell=bash
# tests/engine-nats.sh - NATS JetStream for tests/engines.sh: see there what each is.

# shellcheck disable=SC2034 # they are engines.sh's
LASTS=yes MERGES=yes DURABILITY='"durability": "engine-default",'
# shellcheck disable=SC2034
READS='nats -s * stream view EVENTS'

engine_missing() {
	if ! command -v nats-server >/dev/null; then
		echo "nats-server is not installed"
	elif [[ $(ldd "$BUILD/hooklatch-courier") != *libnats* ]]; then
		echo "the courier was built without libnats-dev"
	fi
}

NATS_MADE=no

stream() {
	[ -x "$T/bin/nats" ] || gcc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra \
	    -o "$T/bin/nats" tests/tool/nats.c -lnats
	"$T/bin/nats" "nats://127.0.0.1:$ENGINE_PORT" "$@"
}

# engine_start [OPTION...]
engine_start() {
	cat >"$T/nats.conf" <<-END
	listen: 127.0.0.1:$ENGINE_PORT
	jetstream { store_dir: "$T/engine" }
	$(printf '%s\n' "$@")
	END
	start engine nats-server -c "$T/nats.conf"
	within 10 listening "$ENGINE_PORT" || return 1
	[ $# -eq 0 ] || return 0
	if [ "$NATS_MADE" = no ]; then
		within 10 stream EVENTS make 'hooks.>' || return 1
		NATS_MADE=yes
	fi
}

engine_kill() {
	kill -9 "${PID[engine]}"
	within 5 gone "${PID[engine]}"
	unset "PID[engine]"
}

engine_url() {
	echo "nats://127.0.0.1:$ENGINE_PORT/EVENTS/hooks.all"
}

engine_ids() {
	stream EVENTS ids
}

engine_body() {
	stream EVENTS body "$1"
}

engine_json() {
	stream EVENTS json "$1"
}

# courier_says PATTERN PROMISE [KEY-VALUES]: a courier alone comes to say so
courier_says() {
	engine_conf "${3:-}"
	start courier "$T/bin/hooklatch-courier" -c "$CONF"
	check "$2" within 10 health_says "$1"
	stop courier || broken "the courier stops"
}

engine_settings() {
	DURABILITY=''
	engine_conf
	check "strict, which nobody can read back, is refused when it starts" \
	    eval '! "$T/bin/hooklatch-courier" -c "$CONF" 2>"$T/out"'
	like "with what to say" '*sync_interval*durability*engine-default*' \
	    "$(cat "$T/out")"
	DURABILITY='"durability": "engine-default",'

	stream EVENTS delete
	courier_says 'refused 1 there is no stream EVENTS*nats stream add EVENTS*' \
	    "without its stream it says how to make it"
	stream EVENTS make 'other.*'
	courier_says 'refused 1 *does not take the subject hooks.all*' \
	    "nor does it publish to a subject that the stream does not take"
	stream EVENTS delete
	stream EVENTS make 'hooks.*' memory
	courier_says 'refused 1 *EVENTS is in memory*' \
	    "a stream in memory is refused"
	stream EVENTS delete
	stream EVENTS make 'hooks.*' file 3
	engine_conf
	start courier "$T/bin/hooklatch-courier" -c "$CONF"
	within 10 health_says 'stored*' || broken "a stream with a limit is taken"
	like "up to its limit it stores" "stored *" "$(put -e a%  -n 3 | tail -n 1)"
	like "what a full stream does not take is refused" \
	    "refused 1 the stream does not take it" "$(put -e b || :)"
	check "and why is logged" grep -q "does not take an event: maximum messages" \
	    "$T/log/courier"
	stop courier
	stream EVENTS delete
	stream EVENTS make 'hooks.>'

	engine_kill
	engine_start 'authorization { user: hook, password: h-u-s-h }'
	courier_says 'refused 1 *without "inbox_secret"*' "no password: health says why"
	courier_says 'refused 1 *"inbox_secret" is not what it wants*' \
	    "a wrong password: health says why" '"inbox_secret": "plain:hook:wr-on-g",'
	courier_says 'stored*' "the right one: all is well" \
	    '"inbox_secret": "plain:hook:h-u-s-h",'
	engine_kill
	engine_start 'authorization { token: h-u-s-h }'
	courier_says 'stored*' "a token: all is well" '"inbox_secret": "plain:h-u-s-h",'
	is "no password is in a log" "" \
	    "$(grep -lE 'h-u-s-h|wr-on-g' "$T/log/courier" "$T/log/serve" || :)"

	engine_kill
	certificate
	engine_start "tls { cert_file: \"$T/cert.pem\", key_file: \"$T/key.pem\" }"
	NATS_URL=$(declare -f engine_url)
	engine_url() {
		echo "nats+tls://127.0.0.1:$ENGINE_PORT/EVENTS/hooks.all"
	}
	courier_says 'stored*' "TLS with an authority of ca_file" \
	    "\"ca_file\": \"$T/cert.pem\","
	courier_says 'refused 1 connecting: *' \
	    "TLS with a certificate that nobody vouches for is refused"
	engine_url() {
		echo "nats+tls://localhost:$ENGINE_PORT/EVENTS/hooks.all"
	}
	courier_says 'refused 1 connecting: *' \
	    "and so is one for another host" "\"ca_file\": \"$T/cert.pem\","
	eval "$NATS_URL"
}

certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
	    -keyout "$T/key.pem" -out "$T/cert.pem" -days 2 -subj /CN=engine \
	    -addext 'subjectAltName=IP:127.0.0.1' 2>/dev/null
	chmod 644 "$T/cert.pem" "$T/key.pem"
}
