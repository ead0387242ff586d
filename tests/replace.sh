#!/usr/bin/env bash
# tests/replace.sh - a worker that is killed under load is replaced and costs no
# request: behind the nginx files that ship, and behind the nginx of serve.
#
# First without the second try, to see that a death would be noticed.

. "$(dirname "$0")/lib.sh"
. tests/fronts.sh
. tests/load.sh

KILLS=${KILLS:-6}
programs
make_tool sender

conf_write <<END
{
	"inbox": "sqlite:@T@/courier/inbox.db",
	"courier": "unix:@T@/courier/courier.sock",
	"volatile": true, // the tests' folder may be memory
	"users": { "handler": "@USER@" },
	"hooks": { "/hooks/github": { "provider": "github", "secret": "plain:$SECRET" } }
}
END

# a worker of the pool whose master is PID
worker_of() {
	local pid
	read -r pid _ <"/proc/$1/task/$1/children" || :
	echo "$pid"
}

# killed NAME MASTER: how many answers were not 2xx, or did not come, while
# workers died
killed() {
	local name=$1 master=$2 i worker
	"$T/bin/sender" -p "$PORT" -c 100 -n 1000000 -i "$name" -s "$SECRET" \
	    >"$T/sent-$name" 2>>"$T/log/sender" &
	local sender=$!
	KILLED=0
	for ((i = 0; i < KILLS; i++)); do
		# A worker that comes again and again is made to wait; not these.
		sleep 1
		worker=$(worker_of "$master")
		if [ -n "$worker" ] && kill -KILL "$worker" 2>/dev/null; then
			KILLED=$((KILLED + 1))
		fi
	done
	sleep 0.4
	kill -TERM "$sender"
	wait "$sender" || :
	HURT=$(awk '$1 == "status" && $2 !~ /^2/ { n += $3 } $1 == "failed" { n += $2 } END { print n + 0 }' \
	    "$T/sent-$name")
	TAKEN=$(sent status-200 "$T/sent-$name")
}

# --- the files that ship --------------------------------------------------------------

check "the courier starts" courier_start
if ! front_start nginx; then
	broken "nginx and the pool start"
	why web handler
	finish replace
fi

sed -i '/error_page/d' "$T/nginx/hooklatch.conf"
sed -i 's/^fastcgi_next_upstream .*/fastcgi_next_upstream off;/' "$T/nginx/hooklatch-params.conf"
kill -HUP "${PID[web]}"
sleep 1
killed bite "${PID[handler]}"
is "workers were killed, with no second try" "$KILLS" "$KILLED"
check "and it was noticed ($HURT requests)" test "$HURT" -gt 0

front_stop
check "nginx and the pool start anew" front_start nginx
killed shipped "${PID[handler]}"
is "workers were killed behind the files that ship" "$KILLS" "$KILLED"
is "and no request was hurt (of $TAKEN)" 0 "$HURT"
front_stop
courier_stop || :

# --- serve -----------------------------------------------------------------------------

check "serve starts" serve_start
killed serve "$(pid_of master)"
is "workers were killed behind serve" "$KILLS" "$KILLED"
is "and no request was hurt (of $TAKEN)" 0 "$HURT"
check "serve stops" serve_stop

[ "$FAILED" -eq 0 ] || why web sender
finish replace
