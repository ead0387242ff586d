#!/usr/bin/env bash
# tests/kill.sh - kill -9 at random, and nothing acknowledged is missing.
#
# usage: tests/kill.sh [--kills N] [--events M]
#
# A provider sends without a pause and writes down every event that was answered
# 2xx, while master, workers, courier, nginx, its worker and serve itself are
# killed in an order and at moments that SEED settles.  Then each event that was
# written down must be in the inbox, exactly once, and have been delivered to both of
# its destinations, to the second in the order of its lane (promise 5).
#
# First the same against a courier that answers before it commits, and writes an attempt
# down before it is made, where only the courier is killed: there, events must be missing,
# and deliveries.

. "$(dirname "$0")/lib.sh"
. tests/load.sh

KILLS=24 EVENTS=6000
while [ $# -gt 0 ]; do
	case $1 in
	--kills) KILLS=$2 ;;
	--events) EVENTS=$2 ;;
	*)
		echo "usage: tests/kill.sh [--kills N] [--events M]" >&2
		exit 64
		;;
	esac
	shift 2
done
RATE=$((EVENTS < 6000 ? 150 : EVENTS > 15000 ? 1000 : EVENTS / 15))	# a second
# Each event is two programs, and under ASan a fork takes ten times as long.
[[ $BUILD != *san* ]] || RATE=60
SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$SEED
KINDS=(master worker courier nginx nginx-worker serve)
declare -A KILLED=()
SAID=$T/log/sender
echo "kill: $KILLS kills, $EVENTS events, SEED=$SEED"

programs
# What finds repeats is written every few batches here, and not every 20,000 events.
variant "$BUILD" short-runs hooklatch-courier SEEN_RUN=64
cp "$BUILD/short-runs/hooklatch-courier" "$T/bin/"
make_tool sender
tool note
# The courier that is to be found guilty.
variant build hasty hooklatch-courier TEST_ANSWER_BEFORE_COMMIT TEST_DONE_BEFORE_TRIED

mkdir "$T/out"
chmod 1777 "$T/out"
conf() {
	DELIVER=$1
	serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"courier": "unix:@T@/inbox/courier.sock",
	"volatile": true, // the tests' folder may be memory
	"hooks": {
		"/hooks/github": { "provider": "github", "secret": "plain:$SECRET",
		    "deliver": $DELIVER }
	},
	"destinations": {
		"noted": { "exec": ["@T@/bin/note", "@T@/out/noted"], "retry": { "first": "100ms" } },
		"ordered": { "exec": ["@T@/bin/note", "@T@/out/ordered"], "retry": { "first": "100ms" },
		    "serialize_by": "body:lane" }
	}
}
END
}

conf '["noted"]'

# sender_start CONNECTIONS RATE: until told to stop
sender_start() {
	rm -f "$T/record" "$SAID"
	touch "$T/record"
	start sender "$T/bin/sender" -p "$PORT" -c "$1" -R "$2" -n 10000000 \
	    -b 1500 -s "$SECRET" -r "$T/record"
}

recorded() {
	wc -l <"$T/record"
}

sender_stop() {
	stop sender TERM 70 || broken "the sender came to its end"
}

nap() {
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
}

# All of these pids are gone, or wait for somebody to ask what became of them.
all_gone() {
	local pid
	for pid; do
		! alive "$pid" || grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null ||
		    return 1
	done
}

# kill_one KIND: counted when it was there and died of it
kill_one() {
	local pid family=()
	pid=$(pid_of "$1")
	[ -n "$pid" ] || return 0
	# shellcheck disable=SC2207 # numbers
	family=($(descendants "$pid"))
	kill -9 "$pid" 2>/dev/null || return 0
	check "a killed $1 is dead" within 5 gone "$pid"
	KILLED[$1]=$((${KILLED[$1]:-0} + 1))
	[ "$1" = serve ] || return 0
	unset "PID[serve]"
	check "serve starts again after kill -9 of itself" serve_start
	check "what the killed serve had started is gone" \
	    within 10 all_gone "${family[@]}"
}

# Every event of the record is in the list, and none twice.
#	missing, doubled: how many are not
look() {
	sort "$T/record" >"$T/wanted"
	events list --json --limit 0 >"$T/list"
	member event_id <"$T/list" | sort >"$T/stored"
	missing=$(uniq "$T/wanted" | comm -23 - <(uniq "$T/stored") | wc -l)
	doubled=$(uniq -d "$T/stored" | wc -l)
}

# --- it bites ------------------------------------------------------------------------

cp "$T/bin/hooklatch-courier" "$T/courier.good"
cp build/hasty/hooklatch-courier "$T/bin/hooklatch-courier"
check "serve starts with the guilty courier" serve_start
sender_start 32 0
for ((i = 0; i < 8; i++)); do
	nap $((200 + RANDOM % 400))
	kill_one courier
	within 15 healthy || broken "a killed courier comes back"
done
sender_stop
is "only couriers were killed, 8" 8 "${KILLED[courier]:-0}"
look
echo "kill: a courier that answers before it commits lost $missing of $(recorded) events"
check "events that were answered too early are missing" [ "$missing" -gt 0 ]
sql "SELECT event_id FROM events JOIN deliveries ON
    event = events.n WHERE state = 2" | sort -u >"$T/done"
lost=$(sort -u "$T/out/noted" | comm -13 - "$T/done" | wc -l)
echo "kill: and of those that it calls delivered $lost never arrived"
check "deliveries that were written down too early are missing" [ "$lost" -gt 0 ]
rm "$T/out/noted"
check "it stops" serve_stop
rm -rf "$T/inbox"
cp "$T/courier.good" "$T/bin/hooklatch-courier"

# --- the run --------------------------------------------------------------------------

# Each kind as often as the others, in an order of its own.
order=()
for ((i = 0; i < KILLS; i++)); do
	order+=("${KINDS[i % ${#KINDS[@]}]}")
done
for ((i = KILLS - 1; i > 0; i--)); do
	j=$((RANDOM % (i + 1)))
	swap=${order[i]} order[i]=${order[j]} order[j]=$swap
done
KILLED=()

conf '["noted", "ordered"]'
check "serve starts" serve_start
sender_start 16 "$RATE"
killed=0 turn=0
while [ "$killed" -lt "$KILLS" ] && [ "$turn" -lt $((KILLS * 3)) ]; do
	kind=${order[killed]}
	turn=$((turn + 1))
	before=${KILLED[$kind]:-0}
	nap $((50 + RANDOM % 700))
	kill_one "$kind"
	[ "${KILLED[$kind]:-0}" -gt "$before" ] || continue
	killed=$((killed + 1))
	# Mostly it recovers first, so that the next kill meets work; sometimes not.
	if ((RANDOM % 4 > 0)); then
		within 20 healthy || broken "all is well again after kill -9 of $kind"
	fi
done
check "after the last kill all is well again" within 20 healthy
within 120 eval '[ "$(recorded)" -ge "$EVENTS" ]' || :
sender_stop
said=
for kind in "${KINDS[@]}"; do
	said+=" $kind ${KILLED[$kind]:-0}"
	check "at least 3 kills of $kind" [ "${KILLED[$kind]:-0}" -ge 3 ]
done
check "$KILLS kills" [ "$killed" -ge "$KILLS" ]
check "$EVENTS events were acknowledged" [ "$(recorded)" -ge "$EVENTS" ]
is "the provider gave nothing up" 0 "$(sent lost "$SAID")"

undelivered() {
	sql "SELECT count(*) FROM deliveries WHERE state <> 2"
}
check "all is delivered" within 300 eval '[ "$(undelivered)" -eq 0 ]'
sql "SELECT event_id FROM events ORDER BY n" >"$T/order"
for to in noted ordered; do
	is "no acknowledged event is missing at $to" 0 \
	    "$(sort -u "$T/out/$to" | comm -23 <(sort -u "$T/record") - | wc -l)"
	is "and none came that is not in the inbox" 0 \
	    "$(sort -u "$T/out/$to" | comm -13 <(sort "$T/order") - | wc -l)"
done
# misplaced FILE: how many came after one that the inbox has behind them in their lane
misplaced() {
	awk 'NR == FNR { at[$1] = NR; next }
	    { split($1, p, "-"); lane = p[2] % 8 }
	    at[$1] < last[lane] { n++ } { last[lane] = at[$1] } END { print n + 0 }' \
	    "$T/order" "$1"
}
is "each lane came in its order" 0 "$(misplaced "$T/out/ordered")"
check "where no order is asked for there is none" [ "$(misplaced "$T/out/noted")" -gt 0 ]
again=$(($(wc -l <"$T/out/noted") + $(wc -l <"$T/out/ordered") - 2 * $(wc -l <"$T/order")))

is "nothing ended but by our kills" "" "$(grep -aoE 'was ended by signal [0-9]+' \
    "$T/log/serve" | grep -v ' 9$' | sort -u)"

# While it runs, and from the inbox alone.
look
is "no acknowledged event is missing" 0 "$missing"
is "no event is there twice" 0 "$doubled"
left=$(descendants "${PID[serve]}")
check "serve stops within 8 s, with status 0 or by itself" serve_stop
# shellcheck disable=SC2086 # numbers
check "nothing of it is left" within 5 all_gone $left
check "nobody holds the port" eval '! listening "$PORT"'
look
is "no acknowledged event is missing once it stopped" 0 "$missing"
is "no event is there twice once it stopped" 0 "$doubled"
is "the database is sound" ok \
    "$(sql 'PRAGMA integrity_check' 2>&1)"
check "and what finds repeats was written in runs" \
    [ "$(sql 'SELECT count(*) FROM seen_runs')" -gt 10 ]
check "its log was emptied" [ ! -s "$T/inbox/inbox.db-wal" ]

repeats=$(member repeats <"$T/list" | awk '{ n += $1 } END { print n + 0 }')
echo "kill:$said; $(recorded) acknowledged, $(sent retried "$SAID") sent again" \
    "($(sent failed "$SAID") cut off, $(sent status-503 "$SAID") times 503," \
    "$(sent status-502 "$SAID") times 502), $(wc -l <"$T/list") stored," \
    "$repeats repeats; $again delivered again"

[ "$FAILED" -eq 0 ] || why serve sender
finish kill
