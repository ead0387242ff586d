#!/usr/bin/env bash
# tests/gvisor.sh - the whole stack inside gVisor (runsc), as Cloud Run's first
# generation runs it: a kernel in user space that lacks some of Linux.  It serves,
# survives its parts' deaths and stops, and what gVisor lacks is said, not fatal.
#
# One sandbox and a script in it, which prints "WORD VALUE" for each thing it found;
# what they must be stands here.  Needs root and runsc, which script/bootstrap installs.

. "$(dirname "$0")/lib.sh"

if ! as_root; then
	skip "the stack under gVisor" "needs root, to start the sandbox"
	finish gvisor
fi
check "runsc is installed (script/bootstrap test)" command -v runsc >/dev/null
programs
cp tests/held.sh "$T/"
SECRET=s3cret
printf '{"ref":"refs/heads/main","n":1}' >"$T/push"
head -c 300000 /dev/zero | tr '\0' x | sed 's/.*/{"long":"&"}/' >"$T/long"
cat >"$T/two.json" <<END
{
	"inbox": "sqlite:/var/lib/gvisor/inbox.db",
	"courier": "unix:/var/lib/gvisor/courier.sock",
	"volatile": true,
	"metrics": "/metrics",
	"hooks": {
		"/hooks/github": { "provider": "github", "secret": "plain:$SECRET", "deliver": "note" },
		"/": { "provider": "secret-header", "secret": "plain:$SECRET" }
	},
	"destinations": { "note": { "exec": ["/bin/cat"] } }
}
END

# What is quoted is the sandbox's.
cat >"$T/inside" <<'END'
PATH=/usr/sbin:/usr/bin:/sbin:/bin
T=$1 SECRET=$2 SIGNED=$3 SIGNED_LONG=$4
. "$T/held.sh"
H=$T/bin/hooklatch
LOG=/tmp/log
URL=http://127.0.0.1:8080

healthy() {
	curl -fs -o /dev/null --max-time 2 "$URL/health"
}
# within TIMES COMMAND...: true as soon as the command is; 20 times are a second
within() {
	local n=$1
	shift
	until "$@" >/dev/null 2>&1; do
		n=$((n - 1))
		[ "$n" -gt 0 ] || return 1
		sleep 0.05
	done
}
push() { # FILE SIGNATURE ID
	curl -s -o /dev/null -w '%{http_code}' --max-time 10 -H 'Content-Type: application/json' \
	    -H 'X-GitHub-Event: push' -H "X-GitHub-Delivery: $3" -H "X-Hub-Signature-256: sha256=$2" \
	    --data-binary "@$1" "$URL/hooks/github"
}
pushed() {
	[ "$(push "$T/push" "$SIGNED" "$1")" = 200 ]
}
# pids COMM [PARENT]: of a program; below that parent
pids() {
	local dir comm parent
	for dir in /proc/[0-9]*; do
		{ read -r comm <"$dir/comm"; } 2>/dev/null || continue
		parent=$(sed -n 's/^PPid:[[:space:]]*//p' "$dir/status" 2>/dev/null)
		[ "$comm" != "$1" ] || [ "${2:-$parent}" != "$parent" ] || echo "${dir#/proc/}"
	done
}
refused() {
	! (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null
}
delivered() {
	"$H" deliveries --json --config "$T/two.json" | grep -c '"state":"done"'
}
# stop_in_flight: SIGTERM while requests are under way
stop_in_flight() {
	local began status=0
	held_open 4 8080 "Secret: $SECRET" '{"held":1}' || echo "$1-held no"
	began=${EPOCHREALTIME/./}
	kill -TERM "$SERVE"
	within 80 refused
	held_finish
	echo "$1-in-flight $HELD_SAID"
	wait "$SERVE" || status=$?
	echo "$1-status $status"
	echo "$1-ms $(((${EPOCHREALTIME/./} - began) / 1000))"
	echo "$1-left $(pids hooklatch.fcgi) $(pids hooklatch-couri) $(pids nginx)"
}

echo "kernel $(uname -r)"
mkdir -p /var/lib/gvisor /run/gvisor
chown hooklatch-courier:hooklatch-courier /var/lib/gvisor

# Two users, an inbox, a program.
RUNTIME_DIRECTORY=/run/gvisor "$H" serve --config "$T/two.json" --listen 127.0.0.1:8080 --workers 2 >"$LOG" 2>&1 &
SERVE=$!
within 200 healthy && echo "served yes"
echo "push $(push "$T/push" "$SIGNED" one)"
echo "forged $(push "$T/push" "${SIGNED%?}x" one)"
echo "repeat $(push "$T/push" "$SIGNED" one)"
echo "long $(push "$T/long" "$SIGNED_LONG" long)"
"$H" events list --json --config "$T/two.json" >/tmp/list
echo "listed $(wc -l </tmp/list)"
id=$(sed -n 's/.*"id":"\([^"]*\)".*"event_id":"long".*/\1/p' /tmp/list)
"$H" events show "$id" --body --config "$T/two.json" | cmp -s - "$T/long" && echo "body same"
within 100 eval '[ "$(delivered)" = 2 ]'
echo "delivered $(delivered)"
"$H" deliveries --json --config "$T/two.json" >/tmp/deliveries
for part in "hooklatch-couri $SERVE" "nginx $SERVE" "hooklatch.fcgi $SERVE"; do
	# shellcheck disable=SC2086 # two words are what is meant
	kill -KILL $(pids $part)
	within 200 pushed "after-${part%% *}" && echo "back-after-${part%% *} yes"
done
kill -KILL "$(pids hooklatch.fcgi "$(pids hooklatch.fcgi "$SERVE")" | head -n 1)"
within 200 pushed after-worker && echo "back-after-worker yes"
kill -HUP "$SERVE"
within 100 grep -q '"reloaded, generation' "$LOG" && echo "reloaded yes"
echo "after-reload $(push "$T/long" "$SIGNED_LONG" again)"
echo "counted $(curl -s --max-time 10 "$URL/metrics" | grep -c '^hooklatch_requests_total')"
echo "stats $("$H" stats --json --config "$T/two.json" | grep -c hooklatch_requests_total)"
stop_in_flight two
grep -F subreaper "$LOG" | head -n 1 | sed 's/^/said /'
sed 's/^/log /' "$LOG"

# One user by number, as in a container on Cloud Run.
mkdir /run/one && chown 10001 /run/one
rm -f "$LOG"
env PORT=8080 K_SERVICE=hooks INBOX=stdout: SECRET="$SECRET" RUNTIME_DIRECTORY=/run/one HOME=/nonexistent \
    setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs \
    "$H" serve >"$LOG" 2>&1 &
SERVE=$!
within 200 healthy && echo "one-served yes"
echo "one-challenge $(curl -s --max-time 10 -H "Secret: $SECRET" -d '{"challenge":"x"}' "$URL/")"
stop_in_flight one
echo "one-lines $(grep -c '^{"id":.*"body_base64":"eyJoZWxkIjoxfQ=="}$' "$LOG")"
sed 's/^/log /' "$LOG"
END

mkdir "$T/gvisor"
timeout -k 5 100 runsc --root="$T/gvisor" --platform=ptrace --network=none --ignore-cgroups \
    --overlay "do" env -i bash "$T/inside" "$T" "$SECRET" "$(hmac_hex "$SECRET" "$T/push")" \
    "$(hmac_hex "$SECRET" "$T/long")" >"$T/found" 2>"$T/log/runsc" </dev/null || :
sed -n 's/^log //p' "$T/found" >"$T/log/serve"

# found WORD: its value
found() {
	sed -n "s/^$1 //p" "$T/found" | head -n 1
}

is "the sandbox is gVisor" 4.4.0 "$(found kernel)"
is "serve starts in it: nginx, pool, courier" yes "$(found served)"
is "a signed push: 200" 200 "$(found push)"
is "a forged one: 401" 401 "$(found forged)"
is "a repeat: 200" 200 "$(found repeat)"
is "a long one, which crosses as a memfd: 200" 200 "$(found long)"
is "they are in the inbox, once" 2 "$(found listed)"
is "byte for byte" same "$(found body)"
is "and delivered to a program, without a pidfd" 2 "$(found delivered)"
for part in hooklatch-couri nginx hooklatch.fcgi worker; do
	is "$part killed: service resumes" yes "$(found "back-after-$part")"
done
like "what gVisor lacks is said" '*no child subreaper*' "$(found said)"
is "SIGHUP: it reloads, which crosses as a memfd" yes "$(found reloaded)"
is "and takes long ones as before" 200 "$(found after-reload)"
between "counters come as text for Prometheus" 1 1000 "$(found counted)"
between "and for the operator" 1 1000 "$(found stats)"
is "one user by number, on Cloud Run: it serves" yes "$(found one-served)"
is "and echoes the challenge" x "$(found one-challenge)"
is "and writes each event to stdout as one line" 4 "$(found one-lines)"
for form in two one; do
	is "SIGTERM: what was in flight is answered ($form)" "200 200 200 200" \
	    "$(found "$form-in-flight")"
	is "status 0 ($form)" 0 "$(found "$form-status")"
	between "within 8 s ($form; ms)" 0 8000 "$(found "$form-ms")"
	is "nothing is left ($form)" "" "$(found "$form-left" | xargs)"
done

[ "$FAILED" -eq 0 ] || why runsc serve
finish gvisor
