#!/usr/bin/env bash
# tests/long.sh - long bodies go aside: a worker of their own judges them, and while it
# is at it, stopped or dead, short requests are answered as ever.
#
# First with a build in which nothing goes aside.

. "$(dirname "$0")/lib.sh"
. tests/load.sh

programs
WORKERS=1
serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"courier": "unix:@T@/inbox/courier.sock",
	"volatile": true, // the tests' folder may be memory
	"hooks": { "/hooks/github": { "provider": "github", "secret": "plain:$SECRET" } }
}
END
echo '{"n":1}' >"$T/short"
{
	printf '{"text":"'
	head -c 3000000 /dev/zero | tr '\0' x
	printf '"}'
} >"$T/long"

# aside: the process that long requests go to
aside() {
	local pid
	for pid in $(descendants "${PID[serve]}"); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != hooklatch.long ] || echo "$pid"
	done
}

there() {
	[ -n "$(aside)" ]
}

another() {
	local now
	now=$(aside)
	[ -n "$now" ] && [ "$now" != "$1" ]
}

# later_push ID FILE: its status will be in $T/ID
later_push() {
	push "$1" "$2" >"$T/$1" &
	SENDER=$!
}

short_ones() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		push "$1-$i" "$T/short"
		echo
	done | sort | uniq -c | xargs
}

# waiting NAME: no status yet
waiting() {
	[ ! -s "$T/$1" ]
}

# --- a build without it -------------------------------------------------------------

variant "$BUILD" nothing-aside hooklatch.fcgi TEST_NOTHING_ASIDE
mv "$T/bin/hooklatch.fcgi" "$T/bin/honest"
cp "$BUILD/nothing-aside/hooklatch.fcgi" "$T/bin/"
check "serve starts" serve_start
check "there is a process for long requests" within 5 there
kill -STOP "$(aside)"
is "where nothing goes aside a long one is answered while that process is stopped" 200 "$(push bare "$T/long")"
kill -CONT "$(aside)"
check "serve stops" serve_stop
mv "$T/bin/honest" "$T/bin/hooklatch.fcgi"

# --- with it -------------------------------------------------------------------------

check "serve starts" serve_start
check "there is a process for long requests" within 5 there
is "a long one is answered" 200 "$(push long "$T/long")"
is "and again it is the same" 200 "$(push long "$T/long")"

one=$(aside)
kill -STOP "$one"
later_push stopped "$T/long"
sender=$SENDER
is "while that process is stopped, the only other one answers short ones" "8 200" "$(short_ones short)"
check "and the long one waits" waiting stopped
kill -CONT "$one"
wait "$sender" || :
is "until it goes on" 200 "$(cat "$T/stopped")"

kill -STOP "$one"
later_push killed "$T/long"
sender=$SENDER
is "stopped again, short ones are answered" "8 200" "$(short_ones again)"
kill -KILL "$one"
wait "$sender" || :
is "killed with a long one at hand: nginx sends that again, and it is taken" 200 "$(cat "$T/killed")"
check "there is another" within 10 another "$one"
is "which takes long ones" 200 "$(push after "$T/long")"

# More than can wait there: who has one does it himself.
kill -STOP "$(aside)"
senders=()
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	later_push "many-$i" "$T/long"
	senders+=("$SENDER")
done
some_answered() {
	[ -n "$(cat "$T"/many-*)" ]
}
check "of twelve some are answered by the worker that accepts" within 15 some_answered
kill -CONT "$(aside)"
for sender in "${senders[@]}"; do
	wait "$sender" || :
done
is "and all in the end" 12 "$(cat "$T"/many-* | grep -o 200 | wc -l)"

# A service manager may say SIGTERM to all processes: this one waits for its master.
one=$(aside)
kill -TERM "$one"
is "after SIGTERM to that process alone a long one is answered" 200 "$(push termed "$T/long")"
is "by the same" "$one" "$(aside)"

# Told to stop while one is under way: it is brought to its end.
one=$(aside)
kill -STOP "$one"
curl -sv -o /dev/null -w '%{http_code}' --max-time 20 -H 'X-GitHub-Delivery: last' -H 'X-GitHub-Event: push' \
    -H 'Content-Type: application/json' -H "X-Hub-Signature-256: sha256=$(hmac_hex "$SECRET" "$T/long")" \
    --data-binary "@$T/long" "http://127.0.0.1:$PORT/hooks/github" >"$T/last" 2>"$T/log/curl" &
sender=$!
check "one is under way" within 10 grep -q "completely uploaded" "$T/log/curl"
is "a short one behind it" 200 "$(push behind "$T/short")"
kill -TERM "${PID[serve]}"
sleep 0.3
kill -CONT "$one"
wait "$sender" || :
is "one that is under way when serve is told to stop is answered" 200 "$(cat "$T/last")"
check "serve stops" serve_stop
is "each is there once" $((6 + 12 + 16)) \
    "$(sql "SELECT count(*) FROM events
	WHERE event_id IN ('bare', 'long', 'stopped', 'killed', 'after', 'termed')
	OR event_id LIKE 'many-%' OR event_id LIKE 'short-%' OR event_id LIKE 'again-%'")"
[ "$FAILED" -eq 0 ] || why serve
finish long
