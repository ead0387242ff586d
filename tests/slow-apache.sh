#!/usr/bin/env bash
# tests/slow-apache.sh - four senders of a byte a second, through the Apache that
# somebody already runs: mod_proxy_fcgi streams their bodies to two workers.
# First to a pool without the frame, which must come to a halt; then to ours,
# which must not notice.

. "$(dirname "$0")/lib.sh"
. tests/fronts.sh
. tests/load.sh

SLOW=4 SECONDS_EACH=5
check "the pool is there" cp "$BUILD/hooklatch.fcgi" "$T/bin/"
make_tool sender unframed
conf_write <<END
{
	"inbox": "none",
	"hooks": { "/hooks/github": { "provider": "github", "secret": "plain:$SECRET" } }
}
END

# slow_start NUMBER: its head at once, signature and all, then a byte a second
slow_start() {
	# shellcheck disable=SC2016 # for the inner shell
	start "slow$1" bash -c '
		exec 3<>"/dev/tcp/127.0.0.1/$1"
		printf "POST /hooks/github HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Hub-Signature-256: sha256=%064d\r\nContent-Length: 1000\r\n\r\n{" 0 >&3
		for ((i = 0; i < 60; i++)); do
			sleep 1
			printf " " >&3 || exit 1
		done' slow "$PORT"
}

# load NAME: good pushes, one connection, for a while; its report is $T/log/NAME
load() {
	start "$1" "$T/bin/sender" -p "$PORT" -c 1 -n 1000000 -t "$SECONDS_EACH" \
	    -b 2000 -s "$SECRET" -1 -o 2000
	within 30 gone "${PID[$1]}" || broken "the sender came to its end"
	unset "PID[$1]"
}

# beside_slow NAME
beside_slow() {
	local i
	for ((i = 0; i < SLOW; i++)); do
		slow_start "$i"
	done
	sleep 2			# Apache sends the first bytes on
	load "$1"
	for ((i = 0; i < SLOW; i++)); do
		check "slow sender $i is still at it" alive "${PID[slow$i]}"
		stop "slow$i" KILL || :
	done
}

line() {
	echo "slow-apache: $1: $(sent status-200 "$T/log/$2") good answers in" \
	    "$SECONDS_EACH s, $(sent failed "$T/log/$2") without one," \
	    "p50 $(sent p50_us "$T/log/$2") us, p99 $(sent p99_us "$T/log/$2") us"
}

# --- a pool without the frame -----------------------------------------------------------

front_ports
certificates
dir "$T/run"
FRONT=apache-proxy_fcgi
start handler "$T/bin/unframed" "$T/hooklatch.json" "$T/run/fcgi.sock" 2 \
    "$T/log/bare-answers"
check "the bare pool starts" within 10 test -S "$T/run/fcgi.sock"
check "Apache starts" eval 'apache_start proxy_fcgi && within 20 listening "$PORT"'
load bare-quiet
line "bare, quiet" bare-quiet
check "the bare pool answers while nobody is slow" \
    [ "$(sent status-200 "$T/log/bare-quiet")" -ge 100 ]
beside_slow bare-slow
line "bare, beside $SLOW slow senders" bare-slow
check "four slow senders stop two bare workers" \
    [ "$(sent status-200 "$T/log/bare-slow")" -lt 10 ]
front_stop || :

# --- ours -----------------------------------------------------------------------------------

check "pool and Apache start" front_start apache-proxy_fcgi
load quiet
line "ours, quiet" quiet
beside_slow slow
line "ours, beside $SLOW slow senders" slow
quiet=$(sent status-200 "$T/log/quiet") slow=$(sent status-200 "$T/log/slow")
is "every push beside slow senders is answered 200" \
    "$(sent events "$T/log/slow")" "$slow"
check "and their number is of the same order" [ "$slow" -ge $((quiet / 10)) ]

# Senders who hang up in the middle leave nothing behind.
echo '{}' >"$T/body"
is "the pool still answers" 200 "$(push last "$T/body")"

[ "$FAILED" -eq 0 ] || why handler web slow0
finish slow-apache
