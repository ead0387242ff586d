# shellcheck shell=bash
# tests/load.sh - a whole "hooklatch serve", and a provider that sends to it.
# Sourced after lib.sh, by the scripts about repeats, kills and faults.
#
#	make_tool NAME...	tests/tool/NAME.c, built, in $T/bin
#	serve_conf <<END	the configuration, with @T@ filled in
#	serve_start, serve_stop
#	push ID FILE [PATH]	posts a file as GitHub would; prints the status
#	sent WORD FILE		a figure of what the sender said in FILE
#	events ...		hooklatch events ... with the configuration
#
# Everything listens on 127.0.0.1:$PORT.

PORT=0
SECRET=s3cret
WORKERS=${WORKERS:-2}

make_tool() {
	local name san=()
	[[ $BUILD != *san* ]] || san=(SAN=1)
	for name; do
		built "$BUILD" "tests/$name" "${san[@]}"
		cp "$BUILD/tests/$name" "$T/bin/$name"
	done
}

# dir PATH [USER]: a folder that USER may write to, when there are users
dir() {
	mkdir -p "$1"
	if as_root && [ -n "${2:-}" ]; then
		chown "$2:$2" "$1"
	fi
}

serve_conf() {
	sed -e "s#@T@#$T#g" >"$T/hooklatch.json"
}

# program NAME: a script that destinations run; $OUT is where it may write
program() {
	{
		printf '#!/bin/sh\nOUT=%s\n' "$T/out"
		cat
	} >"$T/bin/$1"
	chmod 755 "$T/bin/$1"
}

# The status of GET /health; 000 when nobody answers.
health() {
	curl -s -o /dev/null -w '%{http_code}' --max-time 2 \
	    "http://127.0.0.1:$PORT/health" 2>/dev/null || :
}

healthy() {
	[ "$(health)" = 200 ]
}

# The inbox belongs to the courier; what serve itself writes is in $T/run.
serve_start() {
	dir "$T/inbox" hooklatch-courier
	mkdir -p "$T/run"
	[ "$PORT" -ne 0 ] || free_port
	RUNTIME_DIRECTORY=$T/run start serve "$T/bin/hooklatch" serve \
	    --config "$T/hooklatch.json" --listen "127.0.0.1:$PORT" \
	    --workers "$WORKERS"
	within 20 healthy
}

serve_stop() {
	stop serve TERM 9
}

# push ID FILE [PATH [SECRET]]: "" as ID: without one
push() {
	local id=() path=${3:-/hooks/github}
	[ -z "$1" ] || id=(-H "X-GitHub-Delivery: $1")
	curl -s -o /dev/null -w '%{http_code}' --max-time 20 "${id[@]}" \
	    -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \
	    -H "X-Hub-Signature-256: sha256=$(hmac_hex "${4:-$SECRET}" "$2")" \
	    --data-binary "@$2" "http://127.0.0.1:$PORT$path" || :
}

sent() {
	local word figure
	while read -r word figure; do
		if [ "$word" = "$1" ]; then
			echo "$figure"
			return
		fi
	done < <(sed 's/^status \([0-9]*\)/status-\1/' "$2")
	echo 0
}

events() {
	"$T/bin/hooklatch" events "$@" --config "$T/hooklatch.json"
}

# sql TEXT: what a reader finds in the inbox.  It waits for whoever has it for himself just
# then: one that opens it again after a kill, or closes it as the last.
sql() {
	sqlite3 -readonly -cmd '.timeout 10000' "$T/inbox/inbox.db" "$1"
}

# pid_of KIND: of a process of the running serve; nothing when it is not there
pid_of() {
	local serve=${PID[serve]:-} pid name parent found=()
	[ -n "$serve" ] || return 0
	for pid in $(descendants "$serve"); do
		name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
		parent=$(awk '$1 == "PPid:" { print $2 }' "/proc/$pid/status" 2>/dev/null) ||
		    continue
		case $1:$name in
		courier:hooklatch-couri | master:hooklatch.fcgi | nginx:nginx)
			[ "$parent" != "$serve" ] || found+=("$pid") ;;
		worker:hooklatch.fcgi | nginx-worker:nginx)
			[ "$parent" = "$serve" ] || found+=("$pid") ;;
		esac
	done
	[ "$1" != serve ] || found=("$serve")
	[ ${#found[@]} -eq 0 ] || echo "${found[RANDOM % ${#found[@]}]}"
}
