#!/usr/bin/env bash
# tests/instructions.sh - what a push costs the handler, in instructions as callgrind
# counts them: the same on a busy machine as on a quiet one.
#
# usage: tests/instructions.sh [--write]
#   --write   writes bench/instructions, which is what the count is held against
#
# The worker itself, read to answer, verify-only, with a push of 7 KB; between two runs
# of different length, so that its start is not in it.  User space only.  libcrypto and
# libc are told to do without what only some processors have (SHA extensions, AVX2):
# their shares are larger than in service, and alike everywhere.  The figure belongs
# to one compiler; with another it is skipped.

. "$(dirname "$0")/lib.sh"

FIGURE=bench/instructions
SHORT=100 LONG=300		# requests
MARGIN=5			# percent
PUSH=examples/github-push.json
OURS="$(gcc --version | head -n 1), $(uname -m)"

programs
built "$BUILD" tests/road
cat >"$T/hooklatch.json" <<END
{ "inbox": "none", "log": "file:/dev/null",
  "hooks": { "/hooks/github": { "provider": "github", "secret": "plain:s" } } }
END
mkdir "$T/counts"
users=()
if as_root; then
	users=(-u hooklatch -g hooklatch)
	chown hooklatch "$T/counts"
fi

# counted NAME FILE REQUESTS: $T/counts/NAME, of one worker from its start to its end
counted() {
	local sig
	sig=sha256=$(hmac_hex s "$2")
	rm -f "$T/socket"
	start "$1" env OPENSSL_ia32cap=0:0 \
	    GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-ERMS,-FSRM,-AVX_Fast_Unaligned_Load \
	    spawn-fcgi -n -s "$T/socket" "${users[@]}" -- "$(command -v valgrind)" \
	    --tool=callgrind --vgdb=no --callgrind-out-file="$T/counts/$1" \
	    "$T/bin/hooklatch.fcgi" -c "$T/hooklatch.json"
	within 20 test -S "$T/socket" || return 1
	"$BUILD/tests/road" "$T/socket" "$2" "$sig" "$3" || return 1
	stop "$1" TERM 30 && grep -q '^totals:' "$T/counts/$1"
}

# each SHORT LONG: "OBJECT INSTRUCTIONS" of one request, and of all objects together.
# Of a call the line after "calls=" is what the callee cost, which is counted there.
each() {
	awk -v requests=$((LONG - SHORT)) '
		FNR == 1 { sign = sign ? 1 : -1 }
		/^c?ob=\(/ {
			id = $1
			sub(/^c?ob=/, "", id)
			if (NF > 1) {
				name = $2
				sub(/.*\//, "", name)
				names[sign, id] = name
			}
			if (/^ob/)
				object = id
			next
		}
		/^calls=/ { called = 1; next }
		/^[0-9+*-]/ {
			if (!called) {
				sum[names[sign, object]] += sign * $2
				all += sign * $2
			}
			called = 0
		}
		END {
			for (name in sum)
				if (sum[name] >= 1000 * requests)
					printf "%s %.0f\n", name, sum[name] / requests
			printf "all %.0f\n", all / requests
		}' "$T/counts/$1" "$T/counts/$2" | sort
}

# risen FIGURE COUNT: a line for each that is MARGIN percent over what it was, or new
risen() {
	awk -v margin=$MARGIN '
		FNR == NR { if ($1 != "#") was[$1] = $2; next }
		$2 > was[$1] * (1 + margin / 100) {
			printf "%s: %d, was %d (%+.1f %%)\n", $1, $2, was[$1], was[$1] ? ($2 / was[$1] - 1) * 100 : 100
		}' "$1" "$2"
}

if ! command -v valgrind >/dev/null || ! command -v spawn-fcgi >/dev/null; then
	skip "what a push costs has not risen" "valgrind or spawn-fcgi is not installed"
	finish instructions
fi
if [ "${1:-}" != --write ] && [ "$OURS" != "$(sed -n 's/^# of //p' "$FIGURE")" ]; then
	skip "what a push costs has not risen" \
	    "$FIGURE is of another compiler ($(sed -n 's/^# of //p' "$FIGURE"); here it is $OURS)"
	finish instructions
fi
check "a worker is counted" counted short "$PUSH" $SHORT
check "... and one that has more to do" counted long "$PUSH" $LONG
if [ "$FAILED" -ne 0 ]; then
	why short long
	finish instructions
fi
each short long >"$T/now"
echo "instructions of one push of $(wc -c <"$PUSH") bytes:"
sed 's/^/	/' "$T/now"
if [ "${1:-}" = --write ]; then
	{
		echo "# What a push costs the handler: tests/instructions.sh --write"
		echo "# of $OURS"
		cat "$T/now"
	} >"$FIGURE"
fi
is "what a push costs has not risen by $MARGIN % (see why, or --write)" "" "$(risen "$FIGURE" "$T/now")"
fallen=$(risen "$T/now" <(grep -v '^#' "$FIGURE"))
[ -z "$fallen" ] || echo "it costs less than $FIGURE says; --write would hold it there"

# A tenth more to do is noticed.
{
	cat "$PUSH"
	printf '%*s' $(($(wc -c <"$PUSH") / 10)) ''
} >"$T/longer"
check "a worker with longer pushes is counted" counted longer "$T/longer" $LONG
each short longer >"$T/more"
like "and a tenth more to do is found to be a rise" "*all: *" "$(risen "$FIGURE" "$T/more")"

finish instructions
