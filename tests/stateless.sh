#!/usr/bin/env bash
# tests/stateless.sh - without a courier: "stdout:" writes each event as one whole
# line before its 2xx, "none" verifies and answers.

. "$(dirname "$0")/lib.sh"
. tests/fronts.sh
. tests/load.sh

WORKERS=4 EVENTS=2000
check "the pool is there" cp "$BUILD/hooklatch.fcgi" "$T/bin/"
make_tool sender
mkdir "$T/b"

# conf INBOX
conf() {
	conf_write <<-END
	{
		"inbox": "$1",
		"health": "/hooks/health",
		"limits": { "deadline": "1s" },
		"hooks": { "/hooks/github": { "provider": "github", "secret": "plain:$SECRET" } }
	}
	END
}

# --- lines of several writers tear ---------------------------------------------------

# Four processes that write lines of 27 KB into one pipe, as four workers would.
torn=$(
	for letter in a b c d; do
		perl -e '$l = $ARGV[0] x 27000 . "\n";
		    for (1 .. 500) { syswrite(STDOUT, $l) }' "$letter" &
	done | { sleep 0.5; cat; } |
	    awk 'length($0) != 27000 || !/^(a+|b+|c+|d+)$/ { n++ } END { print n + 0 }'
)
echo "stateless: four writers of one pipe tore $torn of 2000 lines"
check "lines over 4 KB of several processes tear" [ "$torn" -gt 0 ]

# --- stdout: ------------------------------------------------------------------------------

# The pool's stdout is a pipe, and a reader at its end writes it to a file.
reader_start() {
	mkfifo "$T/pipe"
	start reader cat "$T/pipe"
	# shellcheck disable=SC2016 # for the inner shell
	start handler sh -c 'exec "$@" >"$0"' "$T/pipe" "$T/bin/hooklatch.fcgi" \
	    -c "$T/hooklatch.json" -l "unix:$T/run/fcgi.sock" -w "$WORKERS"
	within 20 test -S "$T/run/fcgi.sock"
}

FRONT=nginx
conf stdout:
front_ports
certificates
dir "$T/run"
check "the pool starts with a pipe as stdout" reader_start
nginx_start
check "nginx starts" within 20 listening "$PORT"
"$T/bin/sender" -p "$PORT" -c 32 -n "$EVENTS" -b 20000 -s "$SECRET" \
    -r "$T/record" -i line >"$T/said" 2>&1 || :
is "every push is answered 200" "$EVENTS" "$(sent status-200 "$T/said")"

# Whole: begins and ends as a line does, has one id and all of its body.
perl -ne '$n++ if /^\{"id":"[0-9a-f-]{36}",.*"event_id":"line-\d{10}",.*"body_base64":"([^"]*)"\}$/
	&& length($1) == 26668; END { print $n + 0 }' "$T/log/reader" >"$T/whole"
is "stdout has a line for each" "$EVENTS" "$(wc -l <"$T/log/reader")"
is "and each line is whole" "$EVENTS" "$(cat "$T/whole")"
member event_id <"$T/log/reader" | sort >"$T/stored"
check "each that was acknowledged is there, once" \
    cmp -s "$T/stored" <(sort "$T/record")
several=$(for pid in $(descendants "${PID[handler]}"); do
	awk '$1 == "voluntary_ctxt_switches:" && $2 > 20 { print "worked" }' \
	    "/proc/$pid/status"
done | wc -l)
check "several workers took part" [ "$several" -ge 2 ]
# Its body comes back, byte for byte.
head -c 20000 /dev/urandom | base64 -w 0 | sed 's/.*/{"random":"&"}/' >"$T/b/random"
is "a push of random text" 200 "$(push random "$T/b/random")"
check "comes back byte for byte" cmp -s "$T/b/random" \
    <(grep '"event_id":"random"' "$T/log/reader" | member body_base64 | base64 -d)
is "health: it could be taken" 200 "$(curl -s -o /dev/null -w '%{http_code}' \
    "http://127.0.0.1:$PORT/hooks/health")"

# A reader that stands still: no 2xx for what is not written; then all goes on.
kill -STOP "${PID[reader]}"
for i in 1 2 3 4 5 6; do
	push "stopped$i" "$T/b/random" >"$T/status$i" &
	pids[i]=$!
done
for i in 1 2 3 4 5 6; do
	wait "${pids[i]}" || :
done
answered=$(cat "$T"/status?)
like "a reader that stands still: 503 once the pipe is full" '*503*' "$answered"
kill -CONT "${PID[reader]}"
is "it goes on: 200" 200 "$(push moving "$T/b/random")"
for i in 1 2 3 4 5 6; do
	[ "$(cat "$T/status$i")" != 200 ] ||
	    check "what was answered 200 is there" within 2 \
		grep -q "\"event_id\":\"stopped$i\"" "$T/log/reader"
done
is "still each line is whole" "$(wc -l <"$T/log/reader")" \
    "$(grep -c '^{"id":.*"}$' "$T/log/reader")"

# No reader at all.
stop reader KILL || :
is "nobody reads: 503" 503 "$(push nobody "$T/b/random")"
is "and again" 503 "$(push nobody "$T/b/random")"
check "the pool lives" alive "${PID[handler]}"
check "it stops" stop handler TERM 9

# Where stdout is somebody else's it is refused: spawn-fcgi gives /dev/null.
status=0
spawn-fcgi -n -s "$T/run/spawned.sock" -- "$T/bin/hooklatch.fcgi" \
    -c "$T/hooklatch.json" >"$T/out" 2>&1 || status=$?
is "stdout: under spawn-fcgi is refused" 78 "$status"
like "with a sentence" '*stdout:*' "$(cat "$T/out")"

# --- none ------------------------------------------------------------------------------------

conf none
ulimit -S -c "$(ulimit -H -c)"	# as many a machine has it
check "the pool starts without an inbox" pool_start
"$T/bin/sender" -p "$PORT" -c 16 -n 500 -b 3000 -s "$SECRET" -i none \
    >"$T/said" 2>&1 || :
is "none: every push is answered 200" 500 "$(sent status-200 "$T/said")"
is "none: a wrong secret is 401" 401 \
    "$(push x "$T/b/random" /hooks/github wrong)"
is "none: a log line is all that remains of each" 500 \
    "$(grep -c '"status":200.*"event_id":"none-' "$T/log/handler")"
is "none: each has a line of its own" 500 \
    "$(grep '"event_id":"none-' "$T/log/handler" | member event_id | sort -u | wc -l)"
is "none: health is 200" 200 "$(curl -s -o /dev/null -w '%{http_code}' \
    "http://127.0.0.1:$PORT/hooks/health")"
for pid in "${PID[handler]}" $(descendants "${PID[handler]}"); do
	check "process $pid of the pool leaves no core" \
	    grep -qE '^Max core file size +0 +0 ' "/proc/$pid/limits"
done
check "none: nothing looks for a courier" eval \
    '! find "$T" -name "*.db*" | grep -q .'

[ "$FAILED" -eq 0 ] || why handler web
finish stateless
