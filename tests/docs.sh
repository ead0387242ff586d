#!/usr/bin/env bash
# tests/docs.sh - what the manual and README say: pages without faults of form,
# commands that exist, files that are there, configurations that are accepted.

. "$(dirname "$0")/lib.sh"

programs

# --- the manual ---------------------------------------------------------------------

PAGES="man/hooklatch.1 man/hooklatch.fcgi.8 man/hooklatch-courier.8 man/hooklatch.json.5 man/hooklatch-inbox.5"
for page in $PAGES; do
	if [ ! -e "$page" ]; then
		broken "$page is there"
		continue
	fi
	kept
	if command -v mandoc >/dev/null; then
		# -W style would also ask for the CVS words of OpenBSD.
		is "$page: mandoc finds no fault" "" "$(mandoc -T lint -W warning "$page" 2>&1 | head -n 5)"
	else
		skip "$page is linted" "mandoc is not installed"
	fi
	check "$page has examples" grep -q '^\.Sh EXAMPLES' "$page"
done

# options PROGRAM PAGE HELP...: each option that the program names stands there
for command in serve check providers events capture explain stats send sign; do
	[ -n "$("$T/bin/hooklatch" help "$command" 2>/dev/null)" ] || continue
	missing=
	for option in $("$T/bin/hooklatch" help "$command" | grep -oE -- '--[a-z-]+' | sort -u); do
		grep -qE -- "Fl Fl ${option#--}|Fl -${option#--}|${option//-/\\\\-}" man/hooklatch.1 || missing+="$option "
	done
	is "hooklatch.1 has every option of $command" "" "$missing"
	check "and the command" grep -qE "(Cm|Nm|Ic|Sy|Ar|Ss) +(hooklatch +)?$command" man/hooklatch.1
done

# --- README ----------------------------------------------------------------------------

missing=
while read -r link; do
	[ -e "$link" ] || missing+="$link "
done < <(grep -ohE '\]\([a-zA-Z0-9_./-]+\)' README.md DESIGN.md SECURITY.md CHANGELOG.md |
    sed -E 's/^\]\((.*)\)$/\1/' | sort -u)
is "the files that README and DESIGN.md link to are there" "" "$missing"

missing=
while read -r path; do
	[ -e "$path" ] || missing+="$path "
done < <(grep -ohE '(script|tests|bench|examples|nginx|apache)/[a-z0-9_.-]+' README.md | sed 's/\.$//' | sort -u)
is "the files that README names are there" "" "$missing"

commands=$("$T/bin/hooklatch" help | sed -nE 's/^  ([a-z]+) .*/\1/p' | xargs)
unknown=
while read -r command; do
	[[ " $commands " == *" $command "* ]] || unknown+="$command "
done < <(sed -nE '/^```sh/,/^```$/p' README.md cloudrun/README.md | grep -oE '(^|/| )hooklatch [a-z]+' | sed -E 's/.* //' | sort -u)
is "the commands of README and cloudrun/README exist" "" "$unknown"

unknown=
while read -r command option; do
	"$T/bin/hooklatch" help "$command" 2>/dev/null | grep -qF -- "$option" || unknown+="$command $option "
done < <(sed -nE '/^```sh/,/^```$/p' README.md cloudrun/README.md | sed 's/#.*//' |
    grep -oE 'hooklatch [a-z]+ .*' | awk '{ for (i = 3; i <= NF; i++) if ($i ~ /^--[a-z]/) print $2, $i }' | sort -u)
is "and so do their options" "" "$unknown"

# --- what is made from tables ------------------------------------------------------------

check "no page that is made from a table is stale" script/update-docs --check
for page in examples/hooklatch.schema.json man/hooklatch.json.5 examples/provider.schema.json docs/provider-table.md docs/metrics.md; do
	mkdir -p "$T/tree/${page%/*}"
	cp "$page" "$T/tree/$page"
done
check "... nor in a copy" quietly stale script/update-docs --check "$T/tree"
sed -i 's/| `stripe` |/| `strype` |/' "$T/tree/docs/provider-table.md"
check "one that says something else is found stale" eval \
    '! quietly stale script/update-docs --check "$T/tree"'

# --- configurations --------------------------------------------------------------------

# accepted PROMISE FILE: as it is, but for where its secrets are
accepted() {
	sed 's#"file:/[^"]*"#"env:SECRET"#g' "$2" >"$T/accepted.json"
	check "$1" quietly check env SECRET=s GITHUB_SECRET=a STRIPE_SECRET=b \
	    GITHUB_SECRET_BEFORE=e ALERTS_SECRET=f:g DIALOGFLOW_SECRET=h:i \
	    X_KEY=i X_SECRET=j X_TOKEN=k X_TOKEN_SECRET=l \
	    OWN_SECRET=c GUIDE_SECRET=d APP_SECRET="whsec_$SIGN" ARCHIVE_SECRET="whsec_$SIGN" \
	    "$T/bin/hooklatch" check --config "$T/accepted.json"
}
SIGN=$(head -c 24 /dev/zero | base64)
# Each block is a configuration, or the inside of one.
awk -v to="$T/block" '/^```jsonc/ { file = to (++n) ".json"; next } /^```$/ { file = ""; next }
    file != "" { print >file }' README.md cloudrun/README.md docs/destinations.md
for block in "$T"/block*.json; do
	grep -q '^{' "$block" || sed -i -e '1i {' -e '$a }' "$block"
	accepted "a configuration of README and docs/destinations.md is accepted ($(head -n 2 "$block" | tail -n 1))" "$block"
done
for file in examples/*.json cloudrun/hooklatch.json; do
	[[ $file != *schema.json && $file != *push.json ]] || continue
	accepted "$file is accepted" "$file"
done

# The web servers' own words on the files that ship are in tests/e2e.sh; these
# are ours.
if command -v nginx >/dev/null; then
	mkdir "$T/nginx"
	sed -e "s#/run/hooklatch/nginx.pid#$T/nginx.pid#" nginx/example.conf >"$T/nginx/example.conf"
	cp nginx/hooklatch*.conf "$T/nginx/"
	check "nginx accepts nginx/example.conf" quietly nginx nginx -t -q -e stderr -c "$T/nginx/example.conf"
else
	broken "nginx is there"
fi

[ "$FAILED" -eq 0 ] || why check nginx
finish docs
