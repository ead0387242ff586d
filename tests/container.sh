#!/usr/bin/env bash
# tests/container.sh - the Containerfile: built, run as Cloud Run would and as a
# careful operator would, and put through the promises of tests/e2e.sh.
#
# Needs podman, and the base image debian:bookworm-slim in its store (nothing is
# pulled).  Without them all of it is skipped, and says so; with
# HOOKLATCH_TEST_CONTAINER=must that is a failure.

. "$(dirname "$0")/lib.sh"

. tests/podman.sh

NAME=hooklatch-test-$$
SERVICE=/run/hooklatch
MANY=$T/many

remove() {
	podman rm --ignore -f -v -t 0 "$NAME" "$NAME-e2e" >/dev/null 2>&1 || :
}

# run ARGUMENT... [-- ARGUMENT OF SERVE...]: in the foreground, as "container"
run() {
	local options=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	[ $# -eq 0 ] || shift
	free_port
	# What it would say on stderr goes to a log of its own.
	start container sh -c 'exec "$@" 2>>"$0"' "$T/log/stderr" \
	    podman run --name "$NAME" --network host --pull=never \
	    "${LIMITS[@]}" --read-only --read-only-tmpfs=false \
	    --tmpfs "$SERVICE:rw,mode=1777,size=16m" \
	    --cap-drop all --security-opt no-new-privileges --memory 512m \
	    -e "PORT=$PORT" "${options[@]}" "$IMAGE" "$@"
	URL=http://127.0.0.1:$PORT
	within 30 healthy
}

healthy() {
	curl -fs -o "$T/health" "$URL/health"
}

main_pid() {
	podman inspect -f '{{.State.Pid}}' "$NAME"
}

# ask ARGUMENT OF CURL...: STATUS and $T/body
ask() {
	STATUS=$(curl -sS -o "$T/body" -w '%{http_code}' --max-time 30 "$@" 2>>"$T/log/curl") ||
	    STATUS=000
}

# at_once N: N requests at the same time; how often each status came
at_once() {
	local n=$1 i
	for ((i = 0; i < n; i++)); do
		printf 'url = "%s/"\nheader = "Secret: s"\ndata = "{\\"n\\":%d}"\n' "$URL" "$i"
		printf 'output = "%s"\nwrite-out = "%%{http_code}\\n"\nmax-time = 60\n' "$MANY"
		[ "$i" -eq $((n - 1)) ] || echo next
	done >"$T/curl-many"
	curl -sS --no-keepalive --parallel --parallel-immediate --parallel-max "$n" \
	    -K "$T/curl-many" 2>>"$T/log/curl" | sort | uniq -c | xargs
}

stop_is_quick() {
	local began
	began=$(now_ms)
	check "SIGTERM: status 0 ($1)" podman_stopped_with_0
	between "within 8 s ($1; ms)" 0 8000 $(($(now_ms) - began))
	unset "PID[container]"
	check "the port is free again ($1)" within 5 not listening "$PORT"
}

not() {
	! "$@"
}

# Its status can be asked for as long as nobody removes it, however fast it ended.
podman_stopped_with_0() {
	local status
	podman kill -s TERM "$NAME" >>"$T/log/podman" 2>&1 || return 1
	status=$(podman wait "$NAME" 2>>"$T/log/podman") || return 1
	podman rm -v "$NAME" >>"$T/log/podman" 2>&1 || return 1
	[ "$status" = 0 ] || { echo "status $status"; return 1; }
}

# --- can it run here -------------------------------------------------------------

trap 'remove; interrupted' EXIT
image container
is "it runs as a numeric user" 10001:10001 "$(podman image inspect -f '{{.Config.User}}' "$IMAGE")"
like "the tool is in the image" 'hooklatch *' "$(cat "$T/version")"

# --- the guide's example ----------------------------------------------------------

SECRET=s
export SECRET
check "SECRET=... podman run: it serves" run -e SECRET
ask "$URL/" -H 'Secret: s' -d '{"challenge":"x"}'
is "the challenge: 200" 200 "$STATUS"
is "is echoed" x "$(cat "$T/body")"
ask "$URL/" -H 'Secret: wrong' -d '{"challenge":"x"}'
is "a wrong secret: 401" 401 "$STATUS"
ask "$URL/" -H 'Secret: s' -d '{"other":1}'
is "other JSON: 200" 200 "$STATUS"
ask "$URL/" -H 'Secret: s' -d '{"other":'
is "broken JSON: 400" 400 "$STATUS"
ask -X PUT "$URL/" -H 'Secret: s' -d '{}'
is "PUT: 405" 405 "$STATUS"
is "the event is in the inbox, on the volume" 1 "$(podman exec "$NAME" hooklatch events list --json --limit 0 | grep -c '"size":11,' || :)"
is "80 at once" "80 200" "$(at_once 80)"
is "1,000 at once" "1000 200" "$(at_once 1000)"
is "process 1 is serve" "hooklatch serve " "$(tr '\0' ' ' <"/proc/$(main_pid)/cmdline")"
is "every process is that user" 10001 "$(for pid in $(main_pid) $(descendants "$(main_pid)"); do
	awk '/^Uid/ { print $2 }' "/proc/$pid/status"
done | sort -u | xargs)"
is "no capability is left" 0000000000000000 "$(awk '/^CapEff/ { print $2 }' "/proc/$(main_pid)/status")"
check "the root cannot be written" not quietly podman podman exec "$NAME" touch /usr/local/x
check "the log is JSON, a line for each request" test 1000 -le "$(grep -c '^{.*"status":200.*}$' "$T/log/container")"
is "and nothing else" "" "$(grep -v '^{.*}$' "$T/log/container" | head -n 3 || :)"
is "all of it on stdout" "" "$(cat "$T/log/stderr")"
stop_is_quick "with an inbox"

# --- on Cloud Run -------------------------------------------------------------------

: >"$T/log/container"
check "under K_SERVICE it serves without an inbox" run -e SECRET -e K_SERVICE=hooks
check "and warns, naming what keeps events there" grep -qF 'pubsub:' "$T/log/container"
ask "$URL/" -H 'Secret: s' -d '{"challenge":"x"}'
is "the guide's challenge there" x "$(cat "$T/body")"
stop_is_quick "on Cloud Run"

# Google's senders: the front has verified the token, and left a mark in its place.
# marked EMAIL: such a token
marked() {
	local now claims
	now=$(date +%s)
	claims=$(printf '{"iss":"https://accounts.google.com","aud":"https://hook.example/","email":"%s","email_verified":true,"iat":%d,"exp":%d}' \
	    "$1" "$now" $((now + 600)) | base64 -w 0 | tr '+/' '-_' | tr -d '=')
	printf '%s.%s.SIGNATURE_REMOVED_BY_GOOGLE' \
	    "$(printf '{"alg":"RS256","kid":"k"}' | base64 -w 0 | tr '+/' '-_' | tr -d '=')" "$claims"
}
google=(-e K_SERVICE=hooks -e PROVIDER=pubsub -e AUDIENCE=https://hook.example/ -e EMAIL=push@acme.example)
check "PROVIDER=pubsub TOKEN=platform: it serves" run "${google[@]}" -e TOKEN=platform
ask "$URL/" -H "Authorization: Bearer $(marked push@acme.example)" -H 'Content-Type: application/json' -d '{}'
is "a token that the front has verified: 200" 200 "$STATUS"
ask "$URL/" -H "Authorization: Bearer $(marked else@acme.example)" -H 'Content-Type: application/json' -d '{}'
is "of another account: 401" 401 "$STATUS"
check "the roots that keys are fetched with are in the image" \
    quietly podman podman exec "$NAME" test -s /etc/ssl/certs/ca-certificates.crt
stop_is_quick "with platform's tokens"
check "without TOKEN=platform it serves too" run "${google[@]}"
ask "$URL/" -H "Authorization: Bearer $(marked push@acme.example)" -H 'Content-Type: application/json' -d '{}'
check "and a token without its signature is not taken ($STATUS)" eval '[ "$STATUS" = 401 ] || [ "$STATUS" = 503 ]'
stop_is_quick "with tokens that are verified here"

: >"$T/log/container"
check "a local inbox under K_SERVICE does not start" \
    not run -e SECRET -e K_SERVICE=hooks -e INBOX=sqlite:/var/lib/hooklatch/inbox.db
check "and says what to set" grep -qE 'pubsub:|none' "$T/log/container"
stop container || :
remove

# --- the promises of every front -----------------------------------------------------

# How tests/e2e.sh runs a container in place of a web server.
cat >"$T/how" <<END
CONTAINER=$NAME-e2e
serving_start() {
	dir "\$T/courier"
	chown 10001:10001 "\$T/courier" "\$T/hooklatch.json"
	sed -e "s#127.0.0.1:3000#127.0.0.1:\$APP_PORT#" nginx/hooklatch-pass.conf >"\$T/pass.conf"
	start container podman run --rm --name "\$CONTAINER" --network host --pull=never \\
	    ${LIMITS[*]} \\
	    --read-only --read-only-tmpfs=false --tmpfs $SERVICE:rw,mode=1777,size=128m \\
	    --cap-drop all --security-opt no-new-privileges -e PORT="\$PORT" \\
	    -v "\$T/courier:\$T/courier" -v "\$T/secrets:\$T/secrets:ro" \\
	    -v "\$T/hooklatch.json:\$T/hooklatch.json:ro" -v "\$T/pass.conf:\$T/pass.conf:ro" \\
	    $IMAGE --config "\$T/hooklatch.json" --nginx-include "\$T/pass.conf"
	within 30 curl -fs -o "\$T/health" "http://127.0.0.1:\$PORT/hooks/health"
}
serving_stop() {
	stop container || broken "the container stops when it is told"
	podman rm -f -t 0 "\$CONTAINER" >/dev/null 2>&1 || :
	# What reads the inbox from here on is the machine's own courier.
	chown -R hooklatch-courier:hooklatch-courier "\$T/courier"
}
front_ports() {
	free_port
	APP_PORT=\$PORT
	free_port
}
# TLS ends before a container.
certificate_checks() {
	:
}
part_pid() {
	local pid
	for pid in \$(descendants "\$(podman inspect -f '{{.State.Pid}}' "\$CONTAINER")"); do
		[ "\$(cat "/proc/\$pid/comm")" != "\$1" ] || { echo "\$pid"; return; }
	done
}
courier_pid() {
	part_pid hooklatch-couri
}
# Here serve brings it back by itself.
courier_away() {
	check "healthy" healthy
	new_id
	kill -KILL "\$(courier_pid)"
	check "a courier that dies is started again" within 15 push_ok
	is "with the event, once" 1 "\$(stored_count "\$ID")"
	check "healthy again" within 5 healthy
}
arguments() {
	local pid main
	main=\$(podman inspect -f '{{.State.Pid}}' "\$CONTAINER")
	for pid in "\$main" \$(descendants "\$main"); do
		tr '\\0' ' ' <"/proc/\$pid/cmdline"
		echo
	done
}
END
if as_root; then
	E2E_HOW=$T/how tests/e2e.sh container || FAILED=$((FAILED + 1))
	podman rm -f -t 0 "$NAME-e2e" >/dev/null 2>&1 || :
else
	skip "tests/e2e.sh container" "needs root, to give files to the container's user"
fi

remove
finish container
