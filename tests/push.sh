#!/usr/bin/env bash
# tests/push.sh - a push to GitHub reaches every kind of destination, and the death and
# return of each of their peers.
#
# One hook, one configuration, nginx; and beside it, each a process of its own that can
# die alone:
#
#	exec				a program
#	http				another "hooklatch serve", which verifies what it gets
#	pubsub				Google's own emulator, where the machine has it
#	tasks bigquery fcm run x	tests/tool/google.js
#
# Real payloads of GitHub's go through.  While one is on its way to all of them, all of
# them are killed with kill -9; another comes while they are dead; then one peer after
# the other comes back and gets both, while the others wait.  What has arrived is told by
# the peers: our id of the event and the body, or what is documented to stand for it.
# First the same against a courier that takes a failure for the end: there, the
# comparison must find that a push is missing.
#
# The engines that can be the inbox are tests/engines.sh's: a real push, kill -9 of the
# engine, 503 while it is away, and the push again.  What answers and faults count for is
# tests/http.sh's and tests/google.sh's.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

. tests/npm.sh
npm_packages push

# shellcheck source=tests/lib.sh
. tests/lib.sh
. tests/load.sh
. tests/emulator.sh

WAITS=0 DONE=2			# states of a delivery, as in the inbox

programs
# As tests/kill.sh builds it.
variant build hasty hooklatch-courier TEST_ANSWER_BEFORE_COMMIT TEST_DONE_BEFORE_TRIED
node tests/tool/payloads.js unpack "$T"
mapfile -t PUSHES < <(awk '$2 == "push" { print $1 }' "$T/list")
check "there are real pushes (${#PUSHES[@]})" [ ${#PUSHES[@]} -ge 4 ]

PEERS=(exec http tasks bigquery fcm run x)
without=$(emulator_missing)
if [ -z "$without" ]; then
	PEERS+=(pubsub)
else
	skip "a push reaches Pub/Sub" "$without"
fi

# ports: one for each, in AT
declare -A AT=()
ports() {
	local name
	for name in "${PEERS[@]}"; do
		free_port
		AT[$name]=$PORT
	done
	PORT=0
	export PUBSUB_EMULATOR_HOST=127.0.0.1:${AT[pubsub]:-1}
}

mkdir "$T/out" "$T/got" "$T/fake" "$T/receiver"
cp -r "$T/bin" "$T/receiver/bin"
chmod 1777 "$T/out"
echo "whsec_$(head -c 24 /dev/urandom | base64)" >"$T/whsec"
quietly openssl openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$T/fake/key.pem"

# --- the peers -----------------------------------------------------------------------

cat >"$T/bin/deploy" <<END
#!/bin/sh
while [ -e $T/out/held ]; do
	echo \$\$ >$T/out/pid
	sleep 0.1
done
echo "\$HOOKLATCH_ID \$(base64 -w 0)" >>$T/out/exec
END
chmod 755 "$T/bin/deploy"

# The receiver of http: what it has, its own inbox has, whatever becomes of it.
receiver_start() {
	cat >"$T/receiver/hooklatch.json" <<-END
	{
		"inbox": "sqlite:$T/receiver/inbox/inbox.db",
		"courier": "unix:$T/receiver/inbox/courier.sock",
		"volatile": true,
		"hooks": { "/events": { "provider": "standard-webhooks", "secret": "file:$T/whsec" } }
	}
	END
	dir "$T/receiver/inbox" hooklatch-courier
	RUNTIME_DIRECTORY=$T/receiver start http "$T/receiver/bin/hooklatch" serve \
	    --config "$T/receiver/hooklatch.json" --listen "127.0.0.1:${AT[http]}" --workers 1
}

# A fake of Google's: tokens are of the one that made them, another knows none of them.
fake_start() {
	mkdir -p "$T/fake/$1"
	cp "$T/fake/key.pem" "$T/fake/$1/"
	start "$1" node tests/tool/google.js fake "$T/fake/$1" "${AT[$1]}"
}

ask() {	# NAME PATH
	curl -sf --max-time 10 "http://127.0.0.1:${AT[$1]}$2"
}

# Of a dead emulator nothing is left: the topic is made anew, and who listens to it; what
# is published in between nobody would hear, so it is paused meanwhile.
pubsub_is() {	# pause or resume
	quietly emulator "$T/bin/hooklatch" destinations "$1" pubsub --config "$T/hooklatch.json"
}
topic_made() {
	local at=/v1/projects/p
	quietly emulator emulator "${AT[pubsub]}" PUT "$at/topics/hooks" '{}' &&
	    quietly emulator emulator "${AT[pubsub]}" PUT "$at/subscriptions/look" \
		'{"topic":"projects/p/topics/hooks","ackDeadlineSeconds":600}'
}

# peer_start NAME, peer_up NAME: and then it takes what comes
peer_start() {
	case $1 in
	exec) ;;
	http) receiver_start ;;
	pubsub) pubsub_is pause && emulator_start "${AT[pubsub]}" ;;
	*) fake_start "$1" ;;
	esac
}

peer_up() {
	case $1 in
	exec) [ ! -e "$T/bin/deploy.away" ] || mv "$T/bin/deploy.away" "$T/bin/deploy" ;;
	http) within 15 ask http /health ;;
	pubsub) within 15 emulator_up "${AT[pubsub]}" && topic_made && pubsub_is resume ;;
	*) within 15 ask "$1" /seen ;;
	esac
}

# processes NAME
processes() {
	case $1 in
	exec) cat "$T/out/pid" ;;
	pubsub) echo "${PID[emulator]}" ;;
	*) echo "${PID[$1]}" && descendants "${PID[$1]}" ;;
	esac
}

# peer_hold NAME: what comes is taken, and nothing comes of it
peer_hold() {
	if [ "$1" = exec ]; then
		touch "$T/out/held"
	else
		# shellcheck disable=SC2046 # numbers
		kill -STOP $(processes "$1")
	fi
}

peer_kill() {
	local pids pid name=$1
	pids=$(processes "$1")
	[ "$1" != exec ] || mv "$T/bin/deploy" "$T/bin/deploy.away"
	[ "$1" != pubsub ] || name=emulator
	# shellcheck disable=SC2086 # numbers
	kill -9 $pids 2>/dev/null || return 1
	for pid in $pids; do
		within 5 gone "$pid" || return 1
	done
	rm -f "$T/out/held"
	unset "PID[$name]"
}

# --- what has arrived ------------------------------------------------------------------

# seen NAME FILTER: of the requests to a fake; who comes without a token is not heard
seen() {
	ask "$1" /seen | jq -r --arg s "$1" ".seen[] | select(.service == \$s and .facts) | $2"
}

# arrived NAME: a line for each, of our id of the event and its body in base64
arrived() {
	case $1 in
	exec) cat "$T/out/exec" 2>/dev/null || : ;;
	http)
		"$T/bin/hooklatch" events list --json --bodies --limit 0 \
		    --config "$T/receiver/hooklatch.json" | jq -r '"\(.event_id) \(.body_base64)"'
		;;
	pubsub)
		emulator "${AT[pubsub]}" POST /v1/projects/p/subscriptions/look:pull \
		    '{"maxMessages":100,"returnImmediately":true}' |
		    jq -r '.receivedMessages[]?.message | "\(.attributes["hooklatch-event"]) \(.data)"'
		;;
	tasks)
		seen tasks '.body | fromjson | .task.httpRequest |
		    "\(.headers["Hooklatch-Event"]) \(.body)"'
		;;
	bigquery) seen bigquery '.body | fromjson | .rows[].json | "\(.id) \(.body | @base64)"' ;;
	# no body: a notification is small
	fcm)
		seen fcm '.body | fromjson | .message | "\(.data.hooklatch_event) \(.notification |
		    "\(.title): \(.body)" | @base64)"'
		;;
	run) seen run '"\(.headers["hooklatch-event"]) \(.body | @base64)"' ;;
	# a reply: its text, and in it our id
	x)
		ask x /seen | jq -r '.seen[] | select(.service == "x") | .body | fromjson | .text |
		    capture("(?<text>.*) (?<id>[^ ]*)$") | "\(.id) \(.text | @base64)"'
		;;
	esac
}

# collect: from all of them, while they live
collect() {
	local name
	for name in "${PEERS[@]}"; do
		arrived "$name" >>"$T/got/$name"
	done
}

# missing NAME: how many of those that were acknowledged it does not have
missing() {
	awk -v column="$([[ $1 == fcm || $1 == x ]] && echo 3 || echo 2)" '{ print $1, $column }' \
	    "$T/acknowledged" | sort -u | comm -23 - <(sort -u "$T/got/$1") | wc -l
}

# --- the hook ------------------------------------------------------------------------

conf() {
	local to again='"timeout": "20s", "retry": { "first": "100ms", "most": "400ms" }'
	google() {
		echo "\"endpoint\": \"http://127.0.0.1:${AT[$1]}\"," \
		    "\"credentials\": \"file:$T/fake/$1/account.json\", $again"
	}
	to=$(printf ', "%s"' "${PEERS[@]}")
	serve_conf <<-END
	{
		"inbox": "sqlite:@T@/inbox/inbox.db",
		"courier": "unix:@T@/inbox/courier.sock",
		"volatile": true, // the tests' folder may be memory
		"hooks": { "/hooks/github": { "provider": "github", "secret": "plain:$SECRET", "deliver": [${to#,}] } },
		"destinations": {
			"exec": { "exec": ["@T@/bin/deploy"], $again },
			"http": { "http": "http://127.0.0.1:${AT[http]}/events", "sign": "file:@T@/whsec", $again },
			"pubsub": { "service": "pubsub", "topic": "projects/p/topics/hooks", $again },
			"tasks": { "service": "cloud-tasks", "queue": "projects/p/locations/l/queues/q",
			    "url": "https://worker.example/work", $(google tasks) },
			"bigquery": { "service": "bigquery", "table": "projects/p/datasets/d/tables/t", $(google bigquery) },
			"fcm": { "service": "fcm", "project": "projects/p", "to_topic": "pushes",
			    "title": "{body:repository.full_name}", "text": "{body:ref}", $(google fcm) },
			"x": { "service": "x", "endpoint": "http://127.0.0.1:${AT[x]}", "reply_to": "{body:repository.id}",
			    "text": "{body:repository.full_name}: {body:ref} {id}", "each_costs": "i know", "per_day": 100,
			    "oauth1": { "consumer_key": "plain:a consumer/key", "consumer_secret": "plain:CONSUMER&SECRET",
			    "token": "plain:account-token", "token_secret": "plain:TOKEN+SECRET=" }, $again },
			"run": { "service": "cloud-run", "url": "http://127.0.0.1:${AT[run]}/run/push",
			    "credentials": "file:$T/fake/run/account.json", $again }
		}
	}
	END
}

# pushed N: the N-th real push comes, and what is acknowledged is written down
pushed() {
	local file=$T/payload/${PUSHES[$1]}.json
	is "push $1 is answered 200" 200 "$(push "push-$1" "$file")"
	echo "$(sql "SELECT id FROM events WHERE event_id = 'push-$1'") $(base64 -w 0 "$file")" \
	    "$(jq -j '"\(.repository.full_name): \(.ref)"' "$file" | base64 -w 0)" >>"$T/acknowledged"
}

# stand NAME STATE N: so many of its deliveries do
stand() {
	[ "$(sql "SELECT count(*) FROM deliveries WHERE destination = '$1' AND state = $2")" -eq "$3" ]
}

# failed NAME N: so many wait for it, and all of them were tried
failed() {
	stand "$1" "$WAITS" "$2" &&
	    [ "$(sql "SELECT min(made) FROM deliveries WHERE destination = '$1' AND state = $WAITS")" -gt 0 ]
}

all_run() {
	[ "$("$T/bin/hooklatch" destinations --json --config "$T/hooklatch.json" |
	    grep -c '"running":1,')" -eq ${#PEERS[@]} ]
}

# --- would it be noticed? --------------------------------------------------------------

mv "$T/bin/deploy" "$T/bin/deploy.away"
ports
conf
cp build/hasty/hooklatch-courier "$T/bin/hooklatch-courier"
for name in tasks bigquery fcm run x; do	# credentials, of fakes that are not there
	fake_start "$name"
	check "$name is there" peer_up "$name"
	check "$name is killed" peer_kill "$name"
done
check "serve starts with the guilty courier" serve_start
pushed 0
for name in "${PEERS[@]}"; do
	check "a courier that takes a failure for the end calls it done ($name)" \
	    within 10 stand "$name" "$DONE" 1
	peer_start "$name"
done
for name in "${PEERS[@]}"; do
	check "$name is there" peer_up "$name"
done
collect
for name in "${PEERS[@]}"; do
	is "that a push is missing is noticed ($name)" 1 "$(missing "$name")"
done
check "it stops" serve_stop
rm -r "$T/inbox" "$T/acknowledged"
cp "$T/receiver/bin/hooklatch-courier" "$T/bin/hooklatch-courier"

# --- the run -----------------------------------------------------------------------------

check "serve starts" serve_start
pushed 0
for name in "${PEERS[@]}"; do
	check "a push reaches $name" within 15 stand "$name" "$DONE" 1
done
collect

for name in "${PEERS[@]}"; do
	peer_hold "$name"
done
pushed 1
check "another is on its way to all" within 15 all_run
for name in "${PEERS[@]}"; do
	check "$name is killed" peer_kill "$name"
done
pushed 2
for name in "${PEERS[@]}"; do
	check "$name is dead: both wait for it" within 10 failed "$name" 2
done

[ -n "$without" ] || peer_start pubsub	# it takes longer than the others
left=${#PEERS[@]}
for name in "${PEERS[@]}"; do
	[ "$name" = pubsub ] || peer_start "$name"
	check "$name comes back" peer_up "$name"
	check "and gets what waited" within 15 stand "$name" "$DONE" 3
	left=$((left - 1))
	is "while others wait for theirs ($left)" $((2 * left)) \
	    "$(sql "SELECT count(*) FROM deliveries WHERE state = $WAITS")"
done
pushed 3
for name in "${PEERS[@]}"; do
	check "the next push reaches $name as ever" within 15 stand "$name" "$DONE" 4
done
collect
for name in "${PEERS[@]}"; do
	is "nothing that was acknowledged is missing, and it is as it came ($name)" 0 "$(missing "$name")"
done
check "no secret is in the log" eval '! grep -aqE "ya29|PRIVATE|eyJ|whsec|CONSUMER|TOKEN" "$T/log/serve"'
check "serve stops" serve_stop

[ "$FAILED" -eq 0 ] || why serve "${PEERS[@]:1}" emulator
finish push
