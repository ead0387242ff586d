#!/usr/bin/env bash
# tests/disk.sh - the disk is full, somebody holds the lock, somebody reads for too
# long: what a provider sees of it, through nginx.  tests/courier-faults.sh makes
# single writes and syncs fail.
#
# The full disk is a small tmpfs in a mount namespace of our own.

if [ -z "${DISK_NAMESPACE:-}" ]; then
	DISK_NAMESPACE=none
	if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
		export DISK_NAMESPACE=own
		exec unshare -m --propagation private "$0" "$@"
	fi
fi

. "$(dirname "$0")/lib.sh"
. tests/load.sh

programs
make_tool sender

serve_conf <<END
{
	"inbox": "sqlite:@T@/inbox/inbox.db",
	"courier": "unix:@T@/run/courier.sock",
	"volatile": true, // a tmpfs is what is wanted
	"hooks": {
		"/hooks/github": { "provider": "github", "secret": "plain:$SECRET" },
		"/hooks/hasty": { "provider": "github", "secret": "plain:$SECRET", "deadline": "1s" }
	}
}
END
dir "$T/inbox" hooklatch-courier
dir "$T/run" hooklatch-courier
chmod 755 "$T/run"

# A push of 100 KB, and one whose body is a file of its own.
body() {
	head -c "$1" /dev/zero | tr '\0' 'a' | sed 's/.*/{"a":"&"}/'
}
body 100000 >"$T/some"
body 400000 >"$T/long"
echo '{}' >"$T/little"

# take PREFIX FILE COUNT: pushes one after the other; what was taken is recorded
TAKEN=0 REFUSED=0
take() {
	local i status
	TAKEN=0 REFUSED=0
	for ((i = 0; i < $3; i++)); do
		status=$(push "$1-$i" "$2")
		case $status in
		200)
			TAKEN=$((TAKEN + 1))
			echo "$1-$i" >>"$T/record"
			;;
		503) REFUSED=$((REFUSED + 1)) ;;
		*) broken "a full disk is $status" ;;
		esac
	done
}

# All that was taken is there, once; what was refused may be, once.
all_there() {
	events list --json --limit 0 | member event_id | sort >"$T/stored"
	is "$1: nothing that was taken is missing" "" \
	    "$(sort "$T/record" | comm -23 - <(uniq "$T/stored"))"
	is "$1: nothing is there twice" "" "$(uniq -d "$T/stored")"
}

retry_after() {
	curl -s -o /dev/null -D - -H 'Content-Type: application/json' \
	    -H "X-Hub-Signature-256: sha256=$(hmac_hex "$SECRET" "$1")" \
	    --data-binary "@$1" "http://127.0.0.1:$PORT/hooks/github" |
	    tr -d '\r' | awk -F': ' 'tolower($1) == "retry-after" { print $2 }'
}

# --- a full disk --------------------------------------------------------------------------

full_disk() {
	check "serve starts on a small disk" serve_start
	: >"$T/record"
	take before "$T/some" 5
	is "there is room for five" 5 "$TAKEN"

	# Somebody else fills it to the last byte.
	dd if=/dev/zero of="$T/inbox/filler" bs=4096 2>"$T/log/dd" || :
	check "the disk is full: it bites others too" grep -q 'No space' "$T/log/dd"
	take full "$T/some" 12
	check "a full disk is 503" [ "$REFUSED" -gt 0 ]
	between "with Retry-After" 1 120 "$(retry_after "$T/some")"
	is "a body that is a file of its own too" 503 "$(push full-long "$T/long")"
	check "health says so" within 3 eval '[ "$(health)" = 503 ]'
	check "and the log names the disk" grep -qiE '"ERROR".*(disk|room|full)' \
	    "$T/log/serve"
	is "what is wrong is still 401, not 503" 401 \
	    "$(push x "$T/little" /hooks/github wrong)"
	all_there "full"

	rm "$T/inbox/filler"
	check "room is made, and it recovers by itself" within 10 healthy
	take after "$T/some" 5
	is "all are taken again" 5 "$TAKEN"
	take full "$T/some" 12
	is "the refused ones too, when they are sent again" 12 "$TAKEN"
	is "and the long one" 200 "$(push full-long "$T/long")"
	sort -u "$T/record" -o "$T/record"
	all_there "recovered"

	# Its own events fill it.
	for ((i = 0; i < 3; i++)); do
		take "own$i" "$T/some" 40
		[ "$REFUSED" -eq 0 ] || break
	done
	check "its own events fill it" [ "$REFUSED" -gt 0 ]
	mount -o remount,size=40m "$T/inbox"
	check "a larger disk helps by itself" within 10 healthy
	take larger "$T/some" 5
	is "all are taken" 5 "$TAKEN"
	sort -u "$T/record" -o "$T/record"
	all_there "larger"
	check "serve stops" serve_stop
	is "the database is sound" ok \
	    "$(sql 'PRAGMA integrity_check' 2>&1)"
	umount "$T/inbox"
}

if [ "$DISK_NAMESPACE" = own ] &&
    mount -t tmpfs -o size=6m,mode=755 none "$T/inbox" 2>/dev/null; then
	dir "$T/inbox" hooklatch-courier
	full_disk
else
	skip "a full disk" "needs root and a mount namespace"
fi

# --- somebody's hand on the lock ---------------------------------------------------------

# hold SECONDS SQL: a sqlite3 that does it and waits, inside of its transaction
hold() {
	rm -f "$T/held"
	# shellcheck disable=SC2016 # for the inner shell
	start hand sh -c '{ echo "$1"; echo ".shell touch $2"; sleep "$3"; echo "COMMIT;"; } |
	    sqlite3 "$0"' "$T/inbox/inbox.db" "$2" "$T/held" "$1"
	within 5 test -e "$T/held"
}

check "serve starts" serve_start
is "an event first" 200 "$(push first "$T/little")"
check "a hand takes the lock for 2 s" hold 2 "BEGIN IMMEDIATE;"
began=$(now_ms)
is "an event is taken all the same" 200 "$(push patient "$T/little")"
took=$(($(now_ms) - began))
echo "disk: behind a lock of 2 s an event took $took ms"
between "it waited for the lock: it bites" 1000 4000 "$took"
stop hand KILL || :

check "a hand takes the lock for 3 s" hold 3 "BEGIN IMMEDIATE;"
began=$(now_ms)
is "a hook that has 1 s gives up" 503 "$(push hasty "$T/little" /hooks/hasty)"
between "at its deadline" 800 1800 $(($(now_ms) - began))
check "the lock is let go" within 5 eval '[ "$(push hasty "$T/little" /hooks/hasty)" = 200 ]'
is "its event is there once" 1 "$(events list --json --limit 0 --hook /hooks/hasty | wc -l)"
stop hand KILL || :

# Readers hold up nobody.
check "a hand reads for 3 s" hold 3 "BEGIN; SELECT count(*) FROM events;"
began=$(now_ms)
is "beside a reader an event is taken" 200 "$(push beside "$T/little")"
between "at once" 0 1000 $(($(now_ms) - began))
stop hand KILL || :
check "serve stops" serve_stop

# --- a reader that never ends --------------------------------------------------------------

# A courier that counts 16 KiB where the real one counts 1 MiB: it warns at 4 MiB of
# log and refuses at 16.
variant build small hooklatch-courier MIB=16384
cp build/small/hooklatch-courier "$T/bin/hooklatch-courier"
check "serve starts with little patience" serve_start
check "a hand reads for a minute" hold 60 "BEGIN; SELECT count(*) FROM events;"
"$T/bin/sender" -p "$PORT" -c 8 -n 250 -b 100000 -s "$SECRET" -i log -1 \
    >"$T/said" 2>&1 || :
check "the log grows behind the reader: it bites" \
    [ "$(stat -c %s "$T/inbox/inbox.db-wal")" -gt 4194304 ]
check "that is said" grep -q 'a reader holds it open' "$T/log/serve"
check "and refused in the end" [ "$(sent status-503 "$T/said")" -gt 0 ]
between "at its bound" 12000000 20000000 "$(stat -c %s "$T/inbox/inbox.db-wal")"
is "nothing but 200 and 503 was answered" 250 \
    $(($(sent status-200 "$T/said") + $(sent status-503 "$T/said")))
is "health says so" 503 "$(health)"
stop hand KILL || :
check "the reader goes, and it recovers by itself" within 10 healthy
is "an event is taken" 200 "$(push later "$T/little")"
is "each that was answered 200 is there" "$(sent status-200 "$T/said")" \
    "$(events list --json --limit 0 | member event_id | grep -c '^log-' || :)"
check "serve stops" serve_stop
is "the database is sound" ok \
    "$(sql 'PRAGMA integrity_check' 2>&1)"

[ "$FAILED" -eq 0 ] || why serve hand
finish disk
