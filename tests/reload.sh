#!/usr/bin/env bash
# tests/reload.sh - SIGHUP five times a second under load, with files that are good,
# bad, or bring another secret: no request notices, no bad file is served, and a
# revoked secret is dead when the reload is said to be done.
#
# First a restart instead of a reload, under the same load: that must be noticed.

. "$(dirname "$0")/lib.sh"
. tests/fronts.sh
. tests/load.sh

RELOADS=${RELOADS:-60}
programs
make_tool sender
mkdir "$T/secrets" "$T/conf"
chmod 755 "$T/secrets"
echo '{}' >"$T/body"

# conf MORE: the good file, with something more at its end
conf() {
	sed -e "s#@T@#$T#g" >"$T/conf/good" <<-END
	{
		"inbox": "sqlite:@T@/courier/inbox.db",
		"courier": "unix:@T@/courier/courier.sock",
		"volatile": true, // the tests' folder may be memory
		"hooks": {
			"/hooks/github": { "provider": "github", "secret": "plain:$SECRET" },
			"/hooks/rotated": { "provider": "github", "secret": [
				"plain:$SECRET", "file:@T@/secrets/rotated"] }
			$1
		}
	}
	END
	mv "$T/conf/good" "$T/hooklatch.json"
}

# bad KIND: a file that must not be served
bad() {
	case $1 in
	0) echo '{ "hooks": {' >"$T/conf/bad" ;;
	1) conf ', "/hooks/new": { "provider": "github" }' ;;
	2) conf ', "/hooks/new": { "provider": "githubb", "secret": "plain:x" }' ;;
	3) conf ', "/hooks/new": { "auth": "none", "colour": "red" }' ;;
	4) conf ", \"/hooks/new\": { \"provider\": \"github\", \"secret\": \"file:$T/none\" }" ;;
	5) : >"$T/conf/bad" ;;
	6) rm "$T/hooklatch.json" ;;
	esac
	case $1 in
	0 | 5) mv "$T/conf/bad" "$T/hooklatch.json" ;;
	esac
}

said() {
	grep -cE "$1" "$T/log/handler" || :
}

# reload: returns as soon as the master says what became of it
reload() {
	local before
	before=$(said 'reloaded, generation|reload refused')
	kill -HUP "${PID[handler]}"
	within 5 eval '[ "$(said "reloaded, generation|reload refused")" -gt '"$before"' ]'
}

# probe SECRET STATUS PROMISE: on connections enough for both workers
probe() {
	PROBED=$((PROBED + 1))
	"$T/bin/sender" -p "$PORT" -P /hooks/rotated -s "$1" -c 8 -n 24 -b 200 -1 \
	    -i "probe$PROBED" >"$T/log/probe" 2>&1 || :
	is "$3" 24 "$(sent "status-$2" "$T/log/probe")"
}
PROBED=0

# load_start NAME PATH
load_start() {
	start "$1" "$T/bin/sender" -p "$PORT" -P "$2" -c 8 -n 1000000 -R 300 \
	    -b 3000 -s "$SECRET" -i "$1" -1
}

load_stop() {
	stop "$1" TERM 30 || broken "$1 came to its end"
}

# unnoticed NAME: all were answered 200
unnoticed() {
	local report=$T/log/$1
	is "$1: every push was answered 200" "$(sent events "$report")" \
	    "$(sent status-200 "$report")"
	is "$1: no connection was lost" 0 "$(sent failed "$report")"
	check "$1: there was load" [ "$(sent events "$report")" -ge 100 ]
}

printf r0 >"$T/secrets/rotated"
front_ports
conf ''
check "the courier starts" courier_start
check "pool and nginx start" front_start nginx

# --- it bites ------------------------------------------------------------------------------

load_start restarted /hooks/github
for _ in 1 2 3; do
	sleep 0.3
	check "the pool stops" stop handler TERM 9
	check "the pool starts again" pool_start
done
load_stop restarted
lost=$(($(sent events "$T/log/restarted") - $(sent status-200 "$T/log/restarted")))
echo "reload: three restarts cost $lost of $(sent events "$T/log/restarted") requests"
check "a restart instead of a reload is noticed" [ "$lost" -gt 0 ]
bad 3
check "and with a bad file it does not come back" eval \
    '! "$T/bin/hooklatch.fcgi" -c "$T/hooklatch.json" -l "unix:$T/run/other.sock" \
	2>/dev/null'
conf ''

# --- the run -----------------------------------------------------------------------------------

good=0 refused=0 rotated=0
workers=$(descendants "${PID[handler]}" | sort)
load_start steady /hooks/github
load_start rotating /hooks/rotated
sleep 0.3
start_ms=$(now_ms)
for ((i = 0; i < RELOADS; i++)); do
	case $((i % 4)) in
	0 | 2)
		conf ", \"/hooks/extra$i\": { \"auth\": \"none\" }"
		good=$((good + 1))
		;;
	1)
		bad $((i / 4 % 7))
		refused=$((refused + 1))
		;;
	3)
		conf ''
		[ $((rotated % 5)) -ne 0 ] ||
		    probe "r$rotated" 200 "r$rotated is good before it is revoked"
		rotated=$((rotated + 1)) good=$((good + 1))
		printf 'r%d' "$rotated" >"$T/secrets/rotated"
		;;
	esac
	reload || broken "reload $i is done within 5 s"
	if [ $((i % 4)) -eq 3 ]; then
		probe "r$((rotated - 1))" 401 "r$((rotated - 1)) is dead when reload $i is done"
		probe "r$rotated" 200 "r$rotated is good then"
	fi
	# Five a second, as far as this machine can.
	left=$((start_ms + (i + 1) * 200 - $(now_ms)))
	[ "$left" -le 0 ] || sleep "0.$(printf %03d "$left")"
done
took=$(($(now_ms) - start_ms))
load_stop steady
load_stop rotating
echo "reload: $good good and $refused bad files in $((took / 1000)) s under" \
    "$(sent events "$T/log/steady") + $(sent events "$T/log/rotating") requests;" \
    "p99 $(sent p99_us "$T/log/steady") us"
unnoticed steady
unnoticed rotating
is "every good file was taken" "$good" "$(said 'reloaded, generation')"
is "every bad file was refused" "$refused" "$(said 'reload refused')"
check "the last generation is the number of good files" \
    grep -q "reloaded, generation $((good + 1))\"" "$T/log/handler"
is "no worker was replaced" "$workers" "$(descendants "${PID[handler]}" | sort)"

# What a bad file would have brought is not there; what the last good one has is.
bad 3
check "one more bad file" reload
is "its hook is not served" 404 "$(push x "$T/body" /hooks/new)"
is "the old ones are" 200 "$(push y "$T/body")"
conf ', "/hooks/new": { "auth": "none" }'
check "mended" reload
is "its hook is served" 200 "$(push z "$T/body" /hooks/new)"
# Sent to all processes of the pool, as some do it: the workers leave it to the master.
workers=$(descendants "${PID[handler]}" | sort)
for pid in $workers; do
	kill -HUP "$pid"
done
check "a reload that is sent to the workers, too" reload
is "replaces none" "$workers" "$(descendants "${PID[handler]}" | sort)"

# A hook that goes.
conf ''
check "without it" reload
is "a hook that is gone is 404" 404 "$(push x "$T/body" /hooks/new)"

# A courier that moves, under load: what the old one had in hand is sent to the new
# one, and nothing goes to the old one any more.
sed -e "s#$T/courier/#$T/moved/#g" "$T/hooklatch.json" >"$T/moved.json"
dir "$T/moved" hooklatch-courier
start moved "$T/bin/hooklatch-courier" -c "$T/moved.json"
check "a second courier starts" within 20 test -S "$T/moved/courier.sock"
load_start moving /hooks/github
sleep 0.5
mv "$T/moved.json" "$T/hooklatch.json"
check "the move" reload
sleep 0.2
check "the first courier stops" courier_stop
sleep 0.5
load_stop moving
unnoticed moving

# A worker that dies in the same moment: the master hears of both at once.
master=${PID[handler]}
kill -STOP "$master"
kill -KILL "$(descendants "$master" | head -n 1)"
sleep 0.2
kill -HUP "$master"
before=$(said 'reloaded, generation')
kill -CONT "$master"
check "a reload while a worker dies is done" within 5 eval \
    '[ "$(said "reloaded, generation")" -gt '"$before"' ]'
check "by the same master" kill -0 "$master"
is "and it serves" 200 "$(push y "$T/body")"

[ "$FAILED" -eq 0 ] || why handler courier web
finish reload
