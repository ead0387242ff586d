# shellcheck shell=bash
# tests/courier-lib.sh - what courier.sh and courier-faults.sh share.
#
#	courier_tools			the courier and the putter, in $T/bin
#	courier_conf [LIMITS]		$CONF, for $INBOX and $SOCKET
#	courier_start [PROGRAM], stop courier
#	fresh_inbox			another inbox from here on
#	put ARGS..., list, show ID	as a worker, as an operator
#	sql TEXT			asked by hand
#	hand_hold SQL..., hand_release	a shell of sqlite3 that holds a lock

# shellcheck disable=SC2034 # for those who source this
UUID='[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
CONF=$T/courier.json
INBOXES=0

inbox_place() {
	INBOX=$T/inbox$INBOXES/inbox.db
	SOCKET=$T/inbox$INBOXES/inbox.db.sock
}
inbox_place

fresh_inbox() {
	INBOXES=$((INBOXES + 1))
	inbox_place
}

courier_tools() {
	local san=()
	[[ $BUILD != *san* ]] || san=(SAN=1)
	built "$BUILD" "hooklatch-courier tests/putter" "${san[@]}"
	cp "$BUILD/hooklatch-courier" "$BUILD/tests/putter" "$T/bin/"
	mkdir -p "$T/small"
	if as_root; then
		# the folder of an inbox is made by root, in ours
		chmod 755 "$T"
	fi
}

courier_conf() {
	cat >"$CONF" <<END
{
	"inbox": "sqlite:$INBOX",
	"courier": "unix:$SOCKET",
	"volatile": true, // the tests' folder may be memory
	"limits": { "deadline": "1s"${1:+, $1} },
	"hooks": {}
}
END
	chmod 644 "$CONF"
}

courier_start() {
	start courier "${1:-$T/bin/hooklatch-courier}" -c "$CONF"
	within 10 put_verb health || within 1 test -S "$SOCKET"
}

put() {
	"$T/bin/putter" "$@" "$SOCKET" put
}

put_verb() {
	"$T/bin/putter" "$SOCKET" "$1"
}

list() {
	"$T/bin/putter" "$@" "$SOCKET" list
}

show() {
	"$T/bin/putter" -i "$1" "$SOCKET" show
}

# as USER GROUP put|list ...
as() {
	local user=$1 group=$2 verb=$3
	shift 3
	setpriv --reuid "$user" --regid "$group" --clear-groups \
	    "$T/bin/putter" "$@" "$SOCKET" "$verb"
}

# read_only put|list: of a courier that only reads, over a socket of our own
read_only() {
	"$T/bin/putter" -R "$T/bin/hooklatch-courier" -C "$CONF" "$SOCKET" "$1"
}

fails() {
	! "$@" >/dev/null 2>&1
}

sql() {
	sqlite3 -cmd '.timeout 10000' "$INBOX" "$1"
}

# body N: the bytes that putter makes for its N-th event
body() {
	local text='{"number":'$1',"filler":"'
	printf '%s%s"}' "$text" "$(printf "%$((7166 - ${#text}))s" '' | tr ' ' x)"
}

hand_hold() {
	rm -f "$T/hand"
	mkfifo "$T/hand"
	start hand sh -c "exec sqlite3 '$INBOX' <'$T/hand'"
	exec {HAND}>"$T/hand"
	printf '%s;\n' "$@" >&"$HAND"
	sleep 0.2
}

hand_release() {
	echo 'COMMIT;' >&"$HAND"
	exec {HAND}>&-
	stop hand || :
}
