# shellcheck shell=bash
# tests/lib.sh - what the test scripts share.  Source it; it sets -euo pipefail.
#
#	. tests/lib.sh
#	check "a promise" test -e /some/file		kept when the command is
#	is "a promise" expected actual			kept when they are equal
#	skip "a promise" "why it cannot be tried here"
#	finish NAME					the last line, and exit
#
# Only what fails is printed, then "NAME: P passed, F failed[, S skipped]".
# BUILD says which programs are tested (build, build/san).
#
# Everything a script starts, it starts with "start"; when the script ends, in
# whatever way, all of it is ended by process id, and $T is removed (set KEEP=1
# to look at it).

set -euo pipefail
umask 022

cd "$(dirname "${BASH_SOURCE[0]}")/.."
BUILD=${BUILD:-build}
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy

# A sanitizer that finds something ends the program with its own status, so
# that no test can take it for an ordinary refusal.
export ASAN_OPTIONS=exitcode=99:abort_on_error=0:detect_leaks=${LEAKS:-0}
export UBSAN_OPTIONS=print_stacktrace=1

# On a disk where there is one: /tmp is often memory.  Other users read it.
T=$(mktemp -d "${TMPDIR:-/var/tmp}/hooklatch-test.XXXXXX")
chmod 755 "$T"
mkdir "$T/log" "$T/bin"

PASSED=0 FAILED=0 SKIPPED=0
declare -A PID=()		# of what is running, by name

# --- counting ----------------------------------------------------------------

kept() {
	PASSED=$((PASSED + 1))
}

broken() {
	FAILED=$((FAILED + 1))
	printf 'not kept: %s\n' "$*"
}

# check PROMISE COMMAND...
check() {
	local promise=$1
	shift
	if "$@"; then
		kept
	else
		broken "$promise"
	fi
}

# is PROMISE EXPECTED ACTUAL
is() {
	if [ "$2" = "$3" ]; then
		kept
	else
		broken "$(printf '%s (wanted %q, got %q)' "$1" "${2:0:300}" "${3:0:300}")"
	fi
}

# like PROMISE PATTERN ACTUAL: a pattern of the shell
like() {
	# shellcheck disable=SC2053 # a pattern is what is meant
	if [[ $3 == $2 ]]; then
		kept
	else
		broken "$(printf '%s (wanted %q, got %q)' "$1" "$2" "${3:0:300}")"
	fi
}

# between PROMISE LOW HIGH ACTUAL: whole numbers
between() {
	if [[ $4 =~ ^[0-9]+$ ]] && [ "$4" -ge "$2" ] && [ "$4" -le "$3" ]; then
		kept
	else
		broken "$1 (wanted $2 to $3, got $4)"
	fi
}

# skip PROMISE REASON: counted, and said
skip() {
	SKIPPED=$((SKIPPED + 1))
	printf 'SKIPPED: %s: %s\n' "$1" "$2"
}

# quietly LOG COMMAND...: what it says goes to $T/log/LOG; for "check"
quietly() {
	local log=$1
	shift
	"$@" >>"$T/log/$log" 2>&1
}

# finish NAME
finish() {
	local name=$1 skipped=
	trap - EXIT ERR
	look_for_findings
	clean_up
	[ "$SKIPPED" -eq 0 ] || skipped=", $SKIPPED skipped"
	printf '%s: %s passed, %s failed%s\n' "$name" "$PASSED" "$FAILED" "$skipped"
	[ "$FAILED" -eq 0 ]
	exit
}

# --- processes ---------------------------------------------------------------

now_ms() {
	local t=${EPOCHREALTIME/./}
	echo "${t%???}"
}

alive() {
	kill -0 "$1" 2>/dev/null
}

# within SECONDS COMMAND...: true as soon as the command is
within() {
	local end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

gone() {
	! alive "$1"
}

# start NAME COMMAND...: in a session of its own, its output in $T/log/NAME
start() {
	local name=$1
	shift
	setsid "$@" >>"$T/log/$name" 2>&1 </dev/null &
	PID[$name]=$!
	disown
}

# stop NAME [SIGNAL [SECONDS]]: asks, then insists; true when it went by itself
stop() {
	local pid=${PID[$1]:-} status=0
	[ -n "$pid" ] || return 0
	unset "PID[$1]"
	kill -s "${2:-TERM}" -- "$pid" 2>/dev/null || return 0
	within "${3:-10}" gone "$pid" || status=1
	kill -s KILL -- "-$pid" 2>/dev/null || :
	within 5 gone "$pid" || :
	return "$status"
}

# descendants PID: all that it started that is still its own
descendants() {
	local child
	while read -rd ' ' child; do
		echo "$child"
		descendants "$child"
	done < <(cat "/proc/$1/task/"*/children 2>/dev/null)
}

clean_up() {
	local name
	for name in "${!PID[@]}"; do
		stop "$name" TERM 3 || :
	done
	if [ -n "${KEEP:-}" ]; then
		echo "kept: $T" >&2
	else
		rm -rf "$T"
	fi
}

interrupted() {
	local status=$?
	trap - EXIT ERR
	clean_up
	echo "${0##*/} ended early; that counts as a failure"
	echo "${STAGE:-${0##*/}}: $PASSED passed, $((FAILED + 1)) failed"
	[ "$status" -ne 0 ] || status=1
	exit "$status"
}
trap interrupted EXIT
trap 'exit 130' INT TERM HUP
trap 'echo "${0##*/}:$LINENO: $BASH_COMMAND: status $?" >&2' ERR

# What a sanitizer had to say, in whatever log, is a failure.
look_for_findings() {
	local file
	for file in "$T"/log/*; do
		[ -e "$file" ] || continue
		if grep -qE 'AddressSanitizer|runtime error:|LeakSanitizer|Assertion .* failed|stack smashing' "$file"; then
			broken "no finding of a sanitizer in ${file##*/}"
			grep -aE -A 12 'AddressSanitizer|runtime error:|LeakSanitizer|Assertion|smashing' "$file" | head -n 40 || :
		fi
	done
}

# why NAME...: the ends of logs, for somebody who reads a failure
why() {
	local name
	for name; do
		echo "--- the end of $name's log:"
		tail -n 15 "$T/log/$name" 2>/dev/null || :
	done
}

listening() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# free_port: one that nobody listens on, different at each call; and from one script to
# another that began beside it, to which script/test gives another FIRST_PORT
NEXT_PORT=${FIRST_PORT:-$((20000 + $$ * 41 % 9800))}
# shellcheck disable=SC2034 # PORT is the answer
free_port() {
	while NEXT_PORT=$((NEXT_PORT + 1)) && listening "$NEXT_PORT"; do
		[ "$NEXT_PORT" -lt 29990 ] || NEXT_PORT=20000
	done
	PORT=$NEXT_PORT
}

# built DIR "TARGET..." ARGUMENT...: another build, in DIR, by make with these arguments;
# of two scripts that want it one makes it and the other waits
built() {
	local dir=$1 target targets=()
	for target in $2; do
		targets+=("$dir/$target")
	done
	mkdir -p "$dir"
	flock "$dir/lock" make -s BUILD="$dir" "${@:3}" "${targets[@]}"
}

# variant FROM NAME "TARGET..." MACRO...: FROM/NAME is as FROM but for these macros
# (WORD, or WORD=VALUE).  Only what is made of a file that knows one is compiled anew.
variant() {
	local from=$1 dir=$1/$2 wanted=$3 say=() san=()
	shift 3
	[[ $from != *san* ]] || san=(SAN=1)
	say=("${@%%=*}")
	say=("${say[@]/#/-e}")
	mkdir -p "$dir"
	flock "$dir/copied" bash -ec '
		from=$1 dir=$2 macros=$3
		if [ -e "$dir/obj" ]; then
			[ "$(cat "$dir/macros")" = "$macros" ] && exit
			echo "$dir has other macros: $(cat "$dir/macros")" >&2
			exit 1
		fi
		rm -rf "$dir/new"
		cp -a "$from"/*_texts.c "$dir"
		cp -a "$from/obj" "$dir/new"
		find "$dir/new" -name "*.d" -exec sed -i "s|^$from/obj/|$dir/obj/|" {} +
		grep -rlwF "${@:4}" --include="*.[ch]" --exclude-dir={build,node_modules} . |
		    sed "s|^\./||" >"$dir/know"
		grep -rlFf "$dir/know" --include="*.d" "$dir/new" | sed "s/d$/o/" |
		    xargs -r rm -f
		echo "$macros" >"$dir/macros"
		mv "$dir/new" "$dir/obj"' variant "$from" "$dir" "$*" "${say[@]}"
	built "$dir" "$wanted" "${san[@]}" WITH="${*/#/-D}"
}

# programs: copies of what was built, where other users can reach them
programs() {
	local p
	for p in hooklatch hooklatch.fcgi hooklatch-courier; do
		if [ ! -x "$BUILD/$p" ]; then
			broken "$BUILD/$p is there"
			finish "${STAGE:-${0##*/}}"
		fi
		cp "$BUILD/$p" "$T/bin/$p"
	done
}

# tool NAME: compiles tests/tool/NAME.c to $T/bin/NAME
tool() {
	gcc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -o "$T/bin/$1" "tests/tool/$1.c"
}

as_root() {
	[ "$(id -u)" -eq 0 ]
}

# --- values ------------------------------------------------------------------

# member NAME: of each line, an object of JSON, the string or number NAME
member() {
	sed -nE 's/^.*"'"$1"'":("([^"]*)"|([0-9.]+|true|false|null)).*$/\2\3/p'
}

# hmac_hex KEY FILE, hmac_base64 KEY FILE: HMAC-SHA256
hmac_hex() {
	openssl dgst -sha256 -hmac "$1" -r <"$2" | cut -d' ' -f1
}

hmac_base64() {
	openssl dgst -sha256 -hmac "$1" -binary <"$2" | base64 -w 0
}

# uuid: a version 4 UUID, from the kernel
uuid() {
	cat /proc/sys/kernel/random/uuid
}
