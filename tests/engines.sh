#!/usr/bin/env bash
# tests/engines.sh - an engine as the inbox: what was acknowledged is in it.
#
# usage: tests/engines.sh redis|nats|kafka|pubsub
#
# The real server (of Kafka the mock cluster of librdkafka, which keeps what it has
# in memory alone; of Pub/Sub Google's emulator), a whole "hooklatch serve", a
# provider that sends and writes down every event that was answered 2xx.  The engine
# and the courier are killed with kill -9 under load, and each event that was written
# down must be in the engine.
# First the same against a courier that takes a missing acknowledgement for one:
# there, events must be missing.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tests/npm.sh
npm_packages "engines-${1:-}"

# shellcheck source=tests/lib.sh
. tests/lib.sh
. tests/load.sh
. tests/courier-lib.sh

KIND=${1:-}
RATE=600			# events a second while something is killed
case $KIND in
redis | nats | kafka | pubsub) ;;
*)
	echo "usage: tests/engines.sh redis|nats|kafka|pubsub" >&2
	exit 64
	;;
esac
KILLS=8 KILLS_GUILTY=6 KILLS_COURIER=8 LIBRARY=yes
# shellcheck source=/dev/null
. "tests/engine-$KIND.sh"
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$SEED
SAID=$T/log/sender
echo "engines-$KIND: SEED=$SEED"

# What tests/engine-KIND.sh gives:
#	engine_missing		prints what is not installed or not built, or nothing
#	engine_start, engine_kill	the server, at $ENGINE_PORT; its data in $T/engine
#	engine_url		the inbox
#	engine_ids		the event_id of each message, a line each
#	engine_body ID, engine_json ID	of the message with that event_id
#	LASTS=yes		it has what it acknowledged after kill -9
#	MERGES=yes		it knows repeats
#	DURABILITY		what the configuration must say, beside "strict"
#	KILLS, KILLS_GUILTY, KILLS_COURIER	how often
#	LIBRARY=yes		its client library may not be there
missing=$(engine_missing)
if [ -n "$missing" ]; then
	skip "all of engines-$KIND" "$missing"
	finish "engines-$KIND"
fi

programs
make_tool sender putter
free_port
# shellcheck disable=SC2034 # the file of the engine reads it
ENGINE_PORT=$PORT
dir "$T/engine"
PORT=0

# engine_conf [KEY-VALUES]: of a serve, and of a courier alone
engine_conf() {
	serve_conf <<-END
	{
		"inbox": "$(engine_url)", $DURABILITY
		"courier": "unix:@T@/inbox/courier.sock",
		"limits": { "deadline": "2s", "body": "26m" }, ${1:-}
		"hooks": {
			"/hooks/github": { "provider": "github", "secret": "plain:$SECRET" }
		}
	}
	END
	cp "$T/hooklatch.json" "$CONF"
	chmod 644 "$CONF"
}
SOCKET=$T/inbox/courier.sock

sender_start() {
	rm -f "$T/record" "$SAID"
	touch "$T/record"
	start sender "$T/bin/sender" -p "$PORT" -c "$1" -R "$2" -n 10000000 \
	    -b 1500 -s "$SECRET" -r "$T/record" -i "${3:-e}"
}

sender_stop() {
	stop sender TERM 70 || broken "the sender came to its end"
}

recorded() {
	wc -l <"$T/record"
}

# more_than N: so many were there, and now there are more
more_than() {
	[ "$(recorded)" -gt "$1" ]
}

# missing, doubled: how many of those that were written down are not there, or twice
look() {
	sort -u "$T/record" >"$T/wanted"
	engine_ids | sort >"$T/stored"
	missing=$(uniq "$T/stored" | comm -23 "$T/wanted" - | wc -l)
	doubled=$(uniq -d "$T/stored" | wc -l)
}

kill_courier() {
	local pid
	pid=$(pid_of courier)
	[ -n "$pid" ] && kill -9 "$pid" && within 5 gone "$pid"
}

# status ID FILE: "503 Retry-After"
status() {
	curl -s -o /dev/null -D "$T/head" --max-time 20 \
	    -H "X-GitHub-Delivery: $1" \
	    -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \
	    -H "X-Hub-Signature-256: sha256=$(hmac_hex "$SECRET" "$2")" \
	    --data-binary "@$2" "http://127.0.0.1:$PORT/hooks/github" || :
	printf '%s' "$(awk 'NR == 1 { print $2 }' "$T/head")"
	grep -qi '^Retry-After:' "$T/head" && printf ' Retry-After'
	echo
}

# --- one event, exactly -------------------------------------------------------------

check "the engine starts" engine_start
engine_conf
check "serve starts, and is healthy with the engine" serve_start

printf '{"zen":"\\u00e4 \xc3\xa4", "n": 1.0, "n":2,\n"ref" : "x"}\r\n' >"$T/push"
is "a GitHub push is answered 200" 200 "$(push one "$T/push")"
engine_body one >"$T/got"
check "its body is in the engine, byte for byte" cmp "$T/push" "$T/got"
node tests/tool/payloads.js unpack "$T"
REAL=$T/payload/$(awk '$2 == "push" { print $1; exit }' "$T/list").json
is "a real one of GitHub's is answered 200" 200 "$(push real "$REAL")"
check "and is there as it came" cmp "$REAL" <(engine_body real)
engine_json one >"$T/json"
like "its headers are beside it, as they came" \
    '*"headers":\[*"x-github-delivery","one"*"x-hub-signature-256","sha256=*' \
    "$(cat "$T/json")"
is "so that its signature can be verified again" \
    "sha256=$(hmac_hex "$SECRET" "$T/got")" \
    "$(grep -oE 'sha256=[0-9a-f]{64}' "$T/json" | head -n 1)"
if [ "$MERGES" = yes ]; then
	is "a repeat is answered 200" 200 "$(push one "$T/push")"
	is "and is not there twice" 1 "$(engine_ids | grep -cx one)"
	printf 'other' >"$T/other"
	is "what is not proven is not stored" 401 "$(SECRET=wrong push one "$T/push")"
else
	is "a repeat is answered 200" 200 "$(push one "$T/push")"
	is "and is there twice: nothing merges" 2 "$(engine_ids | grep -cx one)"
fi

# Long bodies: between what crosses inline and the engine's limit, and over it.
{
	printf '{"long":"'
	head -c 700000 /dev/zero | tr '\0' x
	printf '"}'
} >"$T/long"
is "a long body is answered 200" 200 "$(push long "$T/long")"
check "and is in the engine, byte for byte" cmp "$T/long" <(engine_body long)
{
	printf '{"long":"'
	head -c 24000000 /dev/zero | tr '\0' x
	printf '"}'
} >"$T/larger"
is "one over the engine's limit is answered 413" 413 "$(push larger "$T/larger")"
is "and nothing of it is there" 0 "$(engine_ids | grep -cx larger)"
is "others go on" 200 "$(push after-larger "$T/push")"

like "events says that the inbox is an engine, and what reads it" \
    "*is an engine*$READS*" "$(events list 2>&1 || :)"

# --- kills under load ------------------------------------------------------------------

# kills WHAT N CONNECTIONS RATE PREFIX
kills() {
	local i n
	sender_start "$3" "$4" "$5"
	within 20 more_than 50 || broken "events are acknowledged before the first kill"
	for ((i = 0; i < $2; i++)); do
		sleep "0.$((2 + RANDOM % 5))"
		if [ "$1" = engine ]; then
			engine_kill
			sleep "0.$((RANDOM % 4))"
			engine_start || broken "the engine starts again"
		else
			kill_courier || broken "the courier was killed"
		fi
		n=$(recorded)
		within 30 healthy || broken "all is well again after kill -9 of the $1"
		within 20 more_than "$n" || broken "events are acknowledged again"
	done
	sender_stop
}

if [ "$LASTS" = yes ]; then
	cp "$T/bin/hooklatch-courier" "$T/courier.good"
	variant build unanswered hooklatch-courier TEST_UNANSWERED_IS_STORED
	check "it stops" serve_stop
	cp build/unanswered/hooklatch-courier "$T/bin/hooklatch-courier"
	check "serve starts with the guilty courier" serve_start
	# A kill loses what was on its way at that moment, which may be nothing.
	for round in 1 2 3 4; do
		kills engine "$KILLS_GUILTY" 64 0 "guilty-$round"
		look
		[ "$missing" -eq 0 ] || break
	done
	echo "engines-$KIND: a courier that takes silence for an acknowledgement" \
	    "lost $missing of $(recorded) events"
	check "events that were answered without one are missing" [ "$missing" -gt 0 ]
	check "it stops" serve_stop
	cp "$T/courier.good" "$T/bin/hooklatch-courier"
	check "serve starts with the true one" serve_start

	kills engine "$KILLS" 32 "$RATE" engine
	look
	is "the engine killed $KILLS times: no acknowledged event is missing" 0 "$missing"
	[ "$MERGES" != yes ] || is "none is there twice" 0 "$doubled"
	echo "engines-$KIND: engine killed: $(recorded) acknowledged," \
	    "$(sent status-503 "$SAID") times 503, $(sent retried "$SAID") sent again"
fi

kills courier "$KILLS_COURIER" 32 "$RATE" courier
look
is "the courier killed $KILLS_COURIER times: no acknowledged event is missing" 0 "$missing"
[ "$MERGES" != yes ] || is "none is there twice" 0 "$doubled"
is "the provider gave nothing up" 0 "$(sent lost "$SAID")"
echo "engines-$KIND: courier killed: $(recorded) acknowledged," \
    "$(sent status-503 "$SAID") times 503, $(sent retried "$SAID") sent again"

# --- slow, away -------------------------------------------------------------------------

kill -STOP "${PID[engine]}"
is "an engine that hangs: 503 with Retry-After, in time" "503 Retry-After" \
    "$(status hangs "$T/push")"
check "health says so" within 10 eval '! healthy'
is "and again" "503 Retry-After" "$(status hangs-2 "$T/push")"
kill -CONT "${PID[engine]}"
check "it goes on by itself" within 30 healthy
is "the provider's next try is stored" 200 "$(status hangs "$T/push")"
[ "$MERGES" != yes ] ||
    is "once, whether the first was kept or not" 1 "$(engine_ids | grep -cx hangs)"
engine_kill
check "an engine that is away: health says so" within 10 eval '! healthy'
is "and a push is refused at once" "503 Retry-After" "$(status away "$REAL")"
check "it starts again" engine_start
check "and all is well by itself" within 30 healthy
is "the push is stored" 200 "$(status away "$REAL")"
check "as it came" cmp "$REAL" <(engine_body away)
check "serve stops in order" serve_stop

# --- settings that must be changed --------------------------------------------------------

# health_says PATTERN
health_says() {
	# shellcheck disable=SC2053 # a pattern is what is meant
	[[ $(put_verb health 2>/dev/null) == $1 ]]
}

engine_settings

# --- a build without the library -----------------------------------------------------------

if [ "$LIBRARY" != yes ]; then
	[ "$FAILED" -eq 0 ] || why serve courier sender engine
	finish "engines-$KIND"
fi
built build/bare hooklatch-courier CFLAGS=-O0 WARN= HARDEN=-fPIE ENGINES= ENGINE_LIBS=
DURABILITY='"durability": "engine-default",'
engine_conf
check "a build without the library refuses the engine" \
    eval '! build/bare/hooklatch-courier -c "$CONF" 2>"$T/out"'
like "and names the package" "*built without*install Debian's lib*-dev *" "$(cat "$T/out")"

[ "$FAILED" -eq 0 ] || why serve courier sender engine
finish "engines-$KIND"
