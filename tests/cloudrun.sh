#!/usr/bin/env bash
# tests/cloudrun.sh - what cloudrun/ says, looked at and run: the service of one
# container, and that of two over a socket in a shared volume.
#
# The containers are run as the files say, and as Cloud Run does: with PORT, K_SERVICE
# and its like, a user by number, memory limited, the root read-only, SIGTERM for all
# containers at once, and no CPU between requests (they are frozen).  They are in a
# network namespace of their own, with the engine.
#
# Needs root, and what tests/container.sh needs.

. "$(dirname "$0")/lib.sh"
. tests/podman.sh
. tests/emulator.sh

NS=hcr$$
NAME=hooklatch-cloudrun-$$
CONFIG=cloudrun/hooklatch.json

look_at() {
	/usr/bin/python3 tests/tool/cloudrun.py check "$@" "$CONFIG" nginx/cloudrun.conf 2>&1
}

# --- what they say -------------------------------------------------------------------

for form in service sidecar; do
	is "$form.yaml says what Cloud Run and our programs know" "" "$(look_at "cloudrun/$form.yaml")"
done
# wrong EXPRESSION FORM SENTENCE: so changed it is seen to be wrong
wrong() {
	sed -E "$1" "cloudrun/$2.yaml" >"$T/wrong.yaml"
	like "seen: $3" "*$3*" "$(look_at "$T/wrong.yaml")"
}
wrong 's/containerConcurrency/concurrency/' service 'concurrency is no field'
wrong 's/(timeoutSeconds): 60/\1: "60"/' service 'must be of the kind int'
wrong 's/cpu-throttling: "true"/cpu-throttling: "yes"/' service 'cpu-throttling: yes is none'
wrong 's#path: /health#path: /healthz#' service 'and health is /health'
wrong 's/GITHUB_SECRET/GITHUP_SECRET/' service 'GITHUB_SECRET is read and not set'
wrong 's#mountPath: /secrets/stripe#mountPath: /secrets/s#' service '/secrets/stripe/latest is read and not mounted'
wrong 's/medium: Memory/medium: Disk/' service 'no volume in memory'
wrong 's/containerPort: 8080/containerPort: 8081/' sidecar 'does not listen on 8081'
wrong 's/\["hooklatch"\]/["courier"]/' sidecar 'names courier, which is no container'
wrong 's/nginx\.pid/web.pid/' sidecar "does not wait for nginx's /run/hooklatch/nginx.pid"

# --- can they run here -----------------------------------------------------------------

if ! as_root; then
	skip "the containers of cloudrun/" "network namespaces need root"
	finish cloudrun
fi
remove() {
	podman rm --ignore -f -v -t 0 "$NAME-nginx" "$NAME-hooklatch" >/dev/null 2>&1 || :
	ip netns del "$NS" 2>/dev/null || :
}
trap 'remove; interrupted' EXIT
ip netns add "$NS"
ip -n "$NS" link set lo up

in_net() {
	ip netns exec "$NS" "$@"
}
export IMAGE='' GITHUB_SECRET=s3cret
STRIPE=whsec_cloudrun
TRACE=0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331
mkdir "$T/volumes" "$T/volumes/config" "$T/volumes/stripe"
printf '%s' "$STRIPE" >"$T/volumes/stripe/latest"
printf '{"ref":"refs/heads/main"}' >"$T/push"
SIGNED=sha256=$(hmac_hex "$GITHUB_SECRET" "$T/push")

# --- the engine ---------------------------------------------------------------------------

# Google's emulator of Pub/Sub; where it is not there, Redis in its place.
missing=$(emulator_missing)
AT=http://127.0.0.1:8085/v1/projects/PROJECT

# of_pubsub METHOD PATH JSON
of_pubsub() {
	in_net curl -fs --max-time 10 -X "$1" -H 'Content-Type: application/json' -d "$3" "$AT/$2"
}
conf() {
	sed -e 's#"provider": "stripe"#&, "from": ["198.51.100.0/24"]#' "$@" "$CONFIG" \
	    >"$T/volumes/config/hooklatch.json"
}
if [ -z "$missing" ]; then
	EMULATED=(-e PUBSUB_EMULATOR_HOST=127.0.0.1:8085)
	conf
	# Java takes some seconds, in which the image is looked for.
	JAVA_TOOL_OPTIONS='-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx192m' \
	    start engine ip netns exec "$NS" "$(emulator_program)" --host=127.0.0.1 --port=8085
	engine_ready() {
		within 40 of_pubsub PUT topics/hooks '{}' && of_pubsub PUT subscriptions/all \
		    '{"topic":"projects/PROJECT/topics/hooks","ackDeadlineSeconds":600}' >"$T/log/topic"
	}
	engine_pull() {
		of_pubsub POST subscriptions/all:pull '{"maxMessages":1000,"returnImmediately":true}' |
		    jq -r '.receivedMessages[]?.message.attributes["hooklatch-event-id"]' >>"$T/pulled"
		grep -qFx "$1" "$T/pulled"
	}
	# engine_has ID: its message is there
	engine_has() {
		within 5 engine_pull "$1"
	}
else
	skip "the containers with Pub/Sub (they run with Redis)" "$missing"
	EMULATED=()
	conf -e 's#"pubsub:[^"]*"#"redis://127.0.0.1:6379/0/hooks"#'
	mkdir "$T/engine"
	start engine ip netns exec "$NS" redis-server --bind 127.0.0.1 --dir "$T/engine" --save '' \
	    --appendonly yes --appendfsync always
	engine_ready() {
		within 20 in_net redis-cli PING
	}
	engine_has() {
		[ "$(in_net redis-cli --raw XRANGE hooks - + | grep -cFx "$1")" -ge 1 ]
	}
fi

# --- a form -----------------------------------------------------------------------------------

URL=http://127.0.0.1:8080
healthy() {
	in_net curl -fs -o "$T/health" --max-time 5 "$URL/health"
}

# run FORM [DIR]: its containers, in the order in which they are started
run() {
	local c arguments file=${2:-cloudrun}/$1.yaml
	rm -rf "$T/volumes/run"
	mkdir -m 1777 "$T/volumes/run"
	CONTAINERS=()
	for c in $(/usr/bin/python3 tests/tool/cloudrun.py containers "$file"); do
		mapfile -d '' arguments < <(/usr/bin/python3 tests/tool/cloudrun.py podman \
		    "$file" "$c" "$T/volumes")
		: >"$T/log/$c"
		start "$c" podman run --name "$NAME-$c" --network "ns:/run/netns/$NS" --pull=never \
		    "${LIMITS[@]}" --read-only --read-only-tmpfs=false --cap-drop all \
		    --security-opt no-new-privileges "${EMULATED[@]}" "${arguments[@]}"
		CONTAINERS+=("$c")
	done
	within 40 healthy
}

# each VERB: of podman, of all containers
each() {
	local c
	for c in "${CONTAINERS[@]}"; do
		podman "$1" "$NAME-$c" >>"$T/log/podman" 2>&1 || return 1
	done
}

# push ID: the status
push() {
	in_net curl -s -o /dev/null -w '%{http_code}' --max-time 20 -H 'Content-Type: application/json' \
	    -H 'X-GitHub-Event: push' -H "X-GitHub-Delivery: $1" -H "traceparent: 00-$TRACE-01" -H "X-Hub-Signature-256: $SIGNED" \
	    --data-binary "@$T/push" "$URL/hooks/github" || :
}

# stripe ID FORWARDED: the status of an event of the other hook, whose secret is a file
stripe() {
	local now
	now=$(date +%s)
	printf '%s.{"id":"evt_%s","type":"ping"}' "$now" "$1" >"$T/signed"
	in_net curl -s -o /dev/null -w '%{http_code}' --max-time 20 -H 'Content-Type: application/json' \
	    -H "Stripe-Signature: t=$now,v1=$(hmac_hex "$STRIPE" "$T/signed")" \
	    -H "X-Forwarded-For: $2" -d "{\"id\":\"evt_$1\",\"type\":\"ping\"}" \
	    "$URL/hooks/stripe" || :
}

main_pid() {
	podman inspect -f '{{.State.Pid}}' "$NAME-$1"
}

# stop_all FORM: SIGTERM for all of them while requests are in flight.  SAID: what those
# were answered; TOOK: ms; ENDED: the statuses of the containers
stop_all() {
	local c pids=() began
	ENDED=()
	for c in "${CONTAINERS[@]}"; do
		pids+=("$(main_pid "$c")")
	done
	began=$(now_ms)
	# shellcheck disable=SC2016 # for the inner shell
	SAID=$(in_net bash -c '. tests/held.sh
	    HELD_PATH=/hooks/github
	    held_open 8 8080 "$1" "$2" || echo "(not all were read)"
	    kill -TERM "${@:3}"
	    for ((i = 0; i < 400; i++)); do
		    (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null || break
		    sleep 0.01
	    done
	    held_finish
	    echo "$HELD_SAID"' held \
	    "X-Hub-Signature-256: $SIGNED\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: held-$1\r\nContent-Type: application/json" \
	    "$(cat "$T/push")" "${pids[@]}" 2>>"$T/log/held") || :
	for c in "${CONTAINERS[@]}"; do
		ENDED+=("$(podman wait "$NAME-$c" 2>>"$T/log/podman")")
	done
	TOOK=$(($(now_ms) - began))
	for c in "${CONTAINERS[@]}"; do
		podman rm -v "$NAME-$c" >>"$T/log/podman" 2>&1 || :
		unset "PID[$c]"
	done
}

try() {
	local form=$1 i frozen=() lost=()
	if ! run "$form"; then
		broken "$form.yaml: it serves"
		return
	fi
	kept
	is "a GitHub push, its secret from the environment: 200 ($form)" 200 "$(push "$form-first")"
	check "it was published inside the request ($form)" engine_has "$form-first"
	is "an event of Stripe's, its secret from a file: 200 ($form)" 200 \
	    "$(stripe "$form" "203.0.113.7, 198.51.100.7")"
	is "from elsewhere, whatever the sender says: 403 ($form)" 403 \
	    "$(stripe "$form" "198.51.100.7, 203.0.113.7")"
	is "a forged one: 401 ($form)" 401 "$(SIGNED=sha256=00 push x)"
	is "a path that is no hook: 404 ($form)" 404 \
	    "$(in_net curl -s -o /dev/null -w '%{http_code}' "$URL/hooks/none")"
	# CPU only while a request is in flight
	for ((i = 0; i < 5; i++)); do
		each pause || frozen+=("could not be frozen")
		engine_has "$form-$((i - 1))" || [ "$i" -eq 0 ] || lost+=("$i")
		each unpause || frozen+=("could not be thawed")
		[ "$(push "$form-$i")" = 200 ] || frozen+=("$i")
	done
	is "frozen between requests: each is answered 200 ($form)" "" "${frozen[*]}"
	is "and what was answered is there while all is frozen ($form)" "" "${lost[*]}"
	is "the log has no line that is not JSON ($form)" "" \
	    "$(grep -v '^{.*}$' "$T/log/hooklatch" | head -n 3 || :)"
	is "a request is one that the console knows ($form)" \
	    "INFO|200 accepted /hooks/github|POST|/hooks/github|200|$(stat -c %s "$T/push")|projects/PROJECT/traces/${TRACE%-*}|${TRACE#*-}|true" \
	    "$(grep -F "\"event_id\":\"$form-first\"" "$T/log/hooklatch" | jq -r '[.severity, .message,
		.httpRequest.requestMethod, .httpRequest.requestUrl, .httpRequest.status, .httpRequest.requestSize,
		.["logging.googleapis.com/trace"], .["logging.googleapis.com/spanId"],
		.["logging.googleapis.com/trace_sampled"]] | join("|")')"
	is "and no secret ($form)" "" "$(grep -lF -e s3cret -e whsec_ "$T/log/hooklatch" || :)"
	stop_all "$form"
	is "SIGTERM: what is in flight is answered ($form)" "200 200 200 200 200 200 200 200" "$SAID"
	check "and published ($form)" engine_has "held-$form"
	is "all end with status 0 ($form)" "$(printf '0 %.0s' "${CONTAINERS[@]}" | xargs)" "${ENDED[*]}"
	between "within 8 s ($form; ms)" 0 8000 "$TOOK"
}

image cloudrun
check "the engine starts" engine_ready
for form in service sidecar; do
	try "$form"
done

# Would it be noticed?  Without --behind hooklatch goes when nginx still has requests.
sed '/--behind$/,/nginx.pid$/d' cloudrun/sidecar.yaml >"$T/hasty.yaml"
if run hasty "$T"; then
	stop_all hasty
	like "without --behind not all of what is in flight is answered" '*502*' "$SAID"
else
	broken "the form without --behind serves"
fi

[ "$FAILED" -eq 0 ] || why hooklatch nginx engine held podman
remove
finish cloudrun
