#!/usr/bin/env bash
# tests/layers.sh - the walls, looked at: who includes whom, which libraries each
# program holds, no provider named in C, nothing of a particular machine.

. "$(dirname "$0")/lib.sh"

# includes FILE...: the headers of ours that they include, by path from the top
includes() {
	local file header
	for file; do
		while read -r header; do
			if [ -e "$header" ]; then
				echo "$header"
			elif [ -e "$(dirname "$file")/$header" ]; then
				realpath --relative-to=. "$(dirname "$file")/$header"
			fi
		done < <(sed -nE 's/^#[ \t]*include[ \t]+"([^"]+)".*/\1/p' "$file")
	done | sort -u
}

# The floors, from the ground up.  A file may include its own floor and below.
FLOORS=(
	"base/*"
	"auth_mac.[ch] auth_key.[ch] auth_static.[ch] auth_jws.[ch] auth_cert.[ch] auth_cipher.[ch]"
	"event.[ch] wire.[ch] stats.[ch] bundle.[ch] letter.[ch] service.[ch] conf.[ch] conf_parts.h conf_keys.c conf_values.c conf_objects.c conf_print.c conf_place.c engine_url.[ch] key_source.[ch] provider_texts.h provider_find.c"
	"frame.[ch] request.[ch] body.[ch] answer.[ch] template.[ch] sent.[ch]"
	"condition.[ch] reply.[ch]"
	"provider.[ch] provider_words.[ch] provider_signature.c provider_answer.c provider_examples.[ch] provider_schema.c forge.[ch]"
	"deliver.[ch]"
	"route.h"
	"auth.[ch] auth_parts.h auth_keys.c auth_look.c auth_event.c auth_sign.[ch] keyring.[ch] route.c" # making routes makes keys
	"handshake.[ch] provider_trial.[ch]"
	"link.[ch] lacking.[ch] counted.[ch] handler.[ch]"
	"lines.[ch] pool.[ch] fcgi_main.c"
)

# floor_of FILE: its number, or nothing
floor_of() {
	local i pattern
	for i in "${!FLOORS[@]}"; do
		for pattern in ${FLOORS[i]}; do
			# shellcheck disable=SC2053 # a pattern is what is meant
			[[ $1 != $pattern ]] || { echo "$i"; return; }
		done
	done
}
set -f
ROAD='frame.h request.h provider.h provider_words.h provider_examples.h deliver.h template.h condition.h reply.h route.h auth.h auth_*.h keyring.h handshake.h handler.h link.h lacking.h counted.h lines.h pool.h body.h answer.h sent.h forge.h'
set +f

up=
for file in base/*.[ch] ./*.[ch]; do
	file=${file#./}
	floor=$(floor_of "$file")
	if [ -z "$floor" ]; then
		broken "$file has a floor in tests/layers.sh"
		continue
	fi
	while read -r header; do
		[ -n "$header" ] || continue
		theirs=$(floor_of "$header")
		if [ -z "$theirs" ] || [ "$theirs" -gt "$floor" ]; then
			up+="$file -> $header "
		fi
	done < <(includes "$file")
done
is "includes go down only" "" "$up"

crossing=
for file in courier/*.[ch]; do
	for header in $(includes "$file"); do
		for pattern in $ROAD; do
			# shellcheck disable=SC2053 # a pattern is what is meant
			[[ $header != $pattern ]] || crossing+="$file -> $header "
		done
		[[ $header != cli/* ]] || crossing+="$file -> $header "
	done
done
is "the courier includes nothing of the road" "" "$crossing"
is "the road includes nothing of the courier or the tool" "" \
    "$(includes ./*.[ch] base/*.[ch] | grep -E '^(courier|cli)/' || :)"

# home LIBRARY'S HEADER, FILES THAT MAY: a pattern of grep each
home() {
	is "$1 has one home" "" "$(grep -lE "^#[ \t]*include[ \t]+<$1" \
	    ./*.[ch] base/*.[ch] courier/*.[ch] cli/*.[ch] | sed 's#^\./##' |
	    grep -vxE "$2" | xargs)"
}
home '(fcgi|fcgiapp|fcgi_stdio)\.h' 'fcgi_main\.c'
home 'json-c/' 'base/json\.c'
home 'sqlite3\.h' 'courier/.*'
home 'curl/' 'cli/.*|courier/.*'
home 'hiredis/' 'courier/engine_redis\.c'
home 'nats/' 'courier/engine_nats\.c'
home 'librdkafka/' 'courier/engine_kafka\.c'
home 'openssl/' 'base/(str|digest|sign)\.c|auth(_[a-z]+)?\.[ch]'
# parts HEADER, FILES: who includes it
parts() {
	is "$1 is for its own files alone" "$2" "$(grep -lE "^#[ \t]*include[ \t]+\"$1\"" \
	    ./*.[ch] courier/*.[ch] cli/*.[ch] tests/*/*.[ch] | sed 's#^\./##' | xargs)"
}
parts auth_parts.h "auth.c auth_event.c auth_keys.c auth_look.c"
parts conf_parts.h "conf.c conf_keys.c conf_objects.c conf_print.c conf_values.c"
is "what delivery.c is made of is nobody else's" "courier/asking.c courier/delivery.c" \
    "$(grep -lE '^#[ \t]*include[ \t]+"delivery_parts\.h"' courier/*.[ch] tests/*/*.[ch] | xargs)"

# --- what is in the programs ---------------------------------------------------------

# libraries PROGRAM: those that it asks for itself, without the C library's
libraries() {
	readelf -d "$1" | sed -nE 's/.*NEEDED.*\[lib([a-z0-9_+-]+)\.so.*/\1/p' |
	    grep -vxE 'c|m|pthread|dl|asan|ubsan|gcc_s' | sort | xargs
}
whole() {
	ldd "$1" | sed -nE 's/^[ \t]*lib([a-z0-9_+-]+)[.-].*/\1/p' | sort -u | xargs
}
is "hooklatch.fcgi holds libfcgi, json-c and libcrypto, nothing else" \
    "crypto fcgi json-c" "$(libraries "$BUILD/hooklatch.fcgi")"
is "also not by way of those" "" "$(whole "$BUILD/hooklatch.fcgi" | grep -oE 'sqlite3|curl|ssl' || :)"
is "the courier holds no FastCGI" "" "$(whole "$BUILD/hooklatch-courier" | grep -oE 'fcgi' || :)"
is "the courier holds what it says" "" \
    "$(libraries "$BUILD/hooklatch-courier" | tr ' ' '\n' | grep -vxE 'sqlite3|curl|json-c|crypto|hiredis|nats|rdkafka' || :)"
is "the tool holds no database and no FastCGI" "" "$(libraries "$BUILD/hooklatch" | grep -oE 'fcgi|sqlite3' || :)"

# --- what is not in the sources --------------------------------------------------------

# Ids that are words of the trade or of C, or an engine's, and stand there as such.
words='basic|bearer|secret-header|x|close|kick|line|plain|unit|front|segment|pubsub|stream'
names=$(for file in providers/*.json; do
	name=${file##*/}
	echo "${name%.json}"
done | grep -vxE "$words" | paste -sd'|')
is "no file of C names a provider" "" "$(
	# Comments may: they say whose oddity a rule is for.
	for file in ./*.[ch] base/*.[ch] courier/*.[ch] cli/*.[ch]; do
		gcc -fpreprocessed -dD -E -P -x c "$file" 2>/dev/null |
		    grep -iwE "$names" | sed "s#^#$file: #" || :
	done | head -n 5)"

tracked() {
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files -z
	else
		find . -type f -not -path './build/*' -not -path './node_modules/*' -print0
	fi
}
# The words are put together here, so that this file does not hold them.
hosts="deb[.]deb""ian[.]|registry[.]np""m|npm""js[.]org|mirrors?[.][a-z]+[.]"
is "no registry's host name is in the tree" "" \
    "$(tracked | xargs -0 grep -nIE "$hosts" | head -n 5 || :)"
machine="(^|[^A-Za-z0-9_.-])/(wor""k|far""m|ro""ot)/[a-z]"
is "no path of a machine is in the tree" "" \
    "$(tracked | xargs -0 grep -nIE "$machine" | head -n 5 || :)"
large=$(tracked | xargs -0 stat -c '%s %n' | awk '$1 > 400000')
is "nothing large is in the tree" "" "$large"

forgotten=
for script in tests/*.sh; do
	[ ! -x "$script" ] || grep -qF "$script" script/test || forgotten+="$script "
done
is "script/test runs every script of tests/" "" "$forgotten"

mapfile -t scripts < <({
	ls tests/*.sh
	tracked | xargs -0 grep -lm1 '^#!/usr/bin/env bash' | sed 's#^\./##'
} | sort -u)
if command -v shellcheck >/dev/null; then
	is "shellcheck finds nothing in the scripts" "" \
	    "$(printf '%s\0' "${scripts[@]}" |
		xargs -0 -n 4 -P "$(nproc)" shellcheck -f gcc | sort -u | head -n 10)"
else
	skip "the scripts are linted" "shellcheck is not installed"
fi

finish layers
