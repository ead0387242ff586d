#!/usr/bin/env bash
# tests/serve.sh - hooklatch serve, as one typed it: it starts everything, stops
# with nothing left running, and no death of any part, its own included, leaves
# an orphan, a held port or a stale socket in the way of the next start.

. "$(dirname "$0")/lib.sh"
. tests/fronts.sh

programs
free_port
mkdir "$T/state" "$T/runtime"
if as_root; then
	chown hooklatch-courier:hooklatch-courier "$T/state"
fi
# The environment is all the configuration there is.
export SECRET=s STATE_DIRECTORY=$T/state RUNTIME_DIRECTORY=$T/runtime
SERVE=$T/bin/hooklatch
URL=http://127.0.0.1:$PORT

healthy() {
	curl -fs -o "$T/health" --max-time 5 "$URL/health"
}

serve() {
	start serve "$SERVE" serve --listen "127.0.0.1:$PORT"
	within 20 healthy
}

# ask ARGUMENT OF CURL...: STATUS and $T/body
ask() {
	STATUS=$(curl -sS -o "$T/body" -w '%{http_code}' --max-time 30 "$@" 2>>"$T/log/curl") ||
	    STATUS=000
}

good() {
	ask "$URL/" -H 'Secret: s' -H "Idempotency-Key: $1" -d '{"other":1}'
	[ "$STATUS" = 200 ]
}

listed() {
	"$SERVE" events list --json --limit 0 | grep -cF "\"event_id\":\"$1\"" || :
}

# everything PID: itself and what it started, one line each: PID COMM
everything() {
	local pid
	for pid in "$1" $(descendants "$1"); do
		printf '%s %s\n' "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null)"
	done
}

# still FILE: which of those still run
still() {
	local pid comm
	while read -r pid comm; do
		if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$comm" ]; then
			echo "$comm"
		fi
	done <"$1"
}

nothing_of() {
	[ -z "$(still "$1")" ]
}

not() {
	! "$@"
}

part() {
	awk -v comm="$1" '$2 == comm { print $1; exit }' "$T/all"
}

# --- start, serve, stop -------------------------------------------------------------

if ! serve; then
	broken "serve starts"
	why serve
	finish serve
fi
kept
ask "$URL/" -H 'Secret: s' -d '{"challenge":"x"}'
is "the guide's challenge" x "$(cat "$T/body")"
ask "$URL/" -H 'Secret: wrong' -d '{"challenge":"x"}'
is "a wrong secret: 401" 401 "$STATUS"
ask "$URL/" -H 'Secret: s' -d '{"other":'
is "broken JSON: 400" 400 "$STATUS"
ask -X PUT "$URL/" -H 'Secret: s' -d '{}'
is "PUT: 405" 405 "$STATUS"
check "other JSON: 200" good first
is "and the event is listed" 1 "$(listed first)"

everything "${PID[serve]}" >"$T/all"
for comm in hooklatch-couri hooklatch.fcgi nginx; do
	check "$comm runs" test -n "$(part "$comm")"
done
check "what a user of the machine sees holds no secret" not grep -qzx 'SECRET=s' "/proc/$(part nginx)/environ"
check "the courier does not get the hooks' secrets" not grep -qzx 'SECRET=s' "/proc/$(part hooklatch-couri)/environ"

start second "$SERVE" serve --listen "127.0.0.1:$PORT"
check "a second one at the same port ends by itself" within 15 gone "${PID[second]}"
check "and says why" grep -qE "127.0.0.1:$PORT|already" "$T/log/second"
stop second || :
check "the first is not disturbed" healthy

began=$(now_ms)
check "SIGTERM ends it" stop serve TERM 10
between "within 8 s (ms)" 0 8000 $(($(now_ms) - began))
is "nothing is left running" "" "$(still "$T/all" | xargs)"
check "the port is free" not listening "$PORT"
is "the event is listed with the service stopped" 1 "$(listed first)"

check "Ctrl-C does the same" serve
everything "${PID[serve]}" >"$T/all"
check "it ends" stop serve INT 10
is "and nothing is left" "" "$(still "$T/all" | xargs)"

# --- kill -9 of each part -------------------------------------------------------------

if ! serve; then
	broken "serve starts again over what it left"
	why serve
	finish serve
fi
for comm in hooklatch-couri hooklatch.fcgi nginx; do
	everything "${PID[serve]}" >"$T/all"
	pid=$(part "$comm")
	kill -KILL "$pid"
	check "$comm killed: service resumes" within 20 good "after-$comm"
	is "with the event once" 1 "$(listed "after-$comm")"
	check "serve itself stays" alive "${PID[serve]}"
done
# A worker: the master replaces it.
everything "${PID[serve]}" >"$T/all"
pid=$(awk '$2 == "hooklatch.fcgi" { print $1 }' "$T/all" | tail -n 1)
kill -KILL "$pid"
check "a worker killed: service goes on" within 20 good after-worker

# --- kill -9 of serve itself -------------------------------------------------------------

everything "${PID[serve]}" >"$T/all"
kill -KILL "${PID[serve]}"
unset "PID[serve]"
check "serve killed: all parts end by themselves, or by the next start" within 10 nothing_of "$T/all"
check "no orphan holds the port" within 5 not listening "$PORT"
check "and no stale socket is in the way of the next start" serve
check "which serves" good after-serve
is "and has everything" 1 "$(listed first)"

# The same, and a new start in the same moment.
everything "${PID[serve]}" >"$T/all"
kill -KILL "${PID[serve]}"
unset "PID[serve]"
check "a start at the very moment of the death" serve
# Its health may have been answered by what was left: the event is sent until it is taken.
check "which serves, too" within 20 good after-race
check "what was left of the one before goes" within 10 nothing_of "$T/all"
check "and the new one stays" alive "${PID[serve]}"
check "and serves on" good after-race-2

# All at once.
everything "${PID[serve]}" >"$T/all"
# Some may have gone with the one before: the kernel tells nginx.
awk '{ print $1 }' "$T/all" | xargs kill -KILL 2>/dev/null || :
unset "PID[serve]"
check "everything killed at once" within 10 nothing_of "$T/all"
check "the next start" serve
check "serves" good after-all
for id in first after-hooklatch-couri after-hooklatch.fcgi after-nginx after-worker \
    after-serve after-race after-race-2 after-all; do
	is "every event that was answered 200 is there, once ($id)" 1 "$(listed "$id")"
done
everything "${PID[serve]}" >"$T/all"
check "it stops" stop serve TERM 10
is "with nothing left" "" "$(still "$T/all" | xargs)"

# --- what it cannot start with -------------------------------------------------------------

(unset SECRET && start bare "$SERVE" serve --listen "127.0.0.1:$PORT") || :
check "without a secret it says what to set" within 10 grep -qF SECRET "$T/log/bare"
printf '{ "hooks": { "/x": { "provider": "githib" } } }\n' >"$T/bad.json"
start bad "$SERVE" serve --config "$T/bad.json" --listen "127.0.0.1:$PORT"
check "a wrong word in the file" within 10 gone "${PID[bad]}"
check "is named with its place and the nearest one" grep -qE 'bad.json:1:[0-9]+.*github' "$T/log/bad"
check "and nothing listens" not listening "$PORT"

# --- many hooks ----------------------------------------------------------------------------

# Each has a variable of its own, and the handlers get every one of them.
for ((i = 0; i < 150; i++)); do
	export "MANY_$i=s$i"
	printf '%s "/h%d": { "provider": "secret-header", "secret": "env:MANY_%d" }\n' \
	    "$([ "$i" -eq 0 ] && echo '{ "inbox": "none", "hooks": {' || echo ,)" "$i" "$i"
done >"$T/many.json"
echo '} }' >>"$T/many.json"
start many "$SERVE" serve --config "$T/many.json" --listen "127.0.0.1:$PORT"
check "150 hooks with a variable each: it starts" within 20 healthy
ask "$URL/h149" -H 'Secret: s149' -d '{}'
is "and the last hook has its secret" 200 "$STATUS"
check "it stops, too" stop many TERM 10

# --- behind a web server of somebody else's ---------------------------------------------------

touch "$T/front.pid"
start beside "$SERVE" serve --no-nginx --listen "unix:$T/runtime/beside.sock" --behind "$T/front.pid"
check "--no-nginx: it serves at the socket that one names" within 20 \
    grep -qF "serving FastCGI on unix:$T/runtime/beside.sock" "$T/log/beside"
kill -TERM "${PID[beside]}"
check "told to stop it serves on while the web server is there" not within 1 gone "${PID[beside]}"
check "its socket too" test -S "$T/runtime/beside.sock"
rm "$T/front.pid"
check "and stops when that is gone" within 5 gone "${PID[beside]}"
unset "PID[beside]"
status=0
"$SERVE" serve --behind "$T/front.pid" >"$T/out" 2>&1 || status=$?
is "--behind with an nginx of its own is refused" 64 "$status"
like "and it is said why" '*--no-nginx*' "$(cat "$T/out")"

[ "$FAILED" -eq 0 ] || why serve beside
finish serve
