# shellcheck shell=bash
# tests/held.sh - requests that are in flight for as long as a test wants.
#
#	held_open N PORT HEADER BODY	N POSTs to HELD_PATH, or /, each with half of its body sent
#	held_finish			sends the rest; HELD_SAID: "200 200 ..."
#
# "Expect: 100-continue" makes it certain and no guess: who answers "100 Continue" has
# read the headers, so the request is his to finish.  HEADER may be several lines, each
# with \r\n between.  Sourced; needs nothing but bash.

HELD=()
HELD_REST='' HELD_SAID=''

held_open() {
	local n=$1 port=$2 header=$3 body=$4 fd line i
	HELD_REST=${body:$((${#body} / 2))}
	for ((i = 0; i < n; i++)); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$port" || return 1
		printf 'POST %s HTTP/1.1\r\nHost: held\r\n%b\r\nContent-Length: %d\r\n' \
		    "${HELD_PATH:-/}" "$header" "${#body}" 1>&"$fd"
		printf 'Expect: 100-continue\r\nConnection: close\r\n\r\n' 1>&"$fd"
		IFS= read -r -t 10 line <&"$fd" || return 1
		[[ $line == *' 100 '* ]] || return 1
		IFS= read -r -t 10 line <&"$fd" || return 1
		printf '%s' "${body:0:$((${#body} / 2))}" 1>&"$fd"
		HELD+=("$fd")
	done
}

held_finish() {
	local fd line said=()
	for fd in "${HELD[@]}"; do
		printf '%s' "$HELD_REST" 1>&"$fd" 2>/dev/null || :
	done
	for fd in "${HELD[@]}"; do
		line=
		IFS= read -r -t 10 line <&"$fd" 2>/dev/null || :
		line=${line#* }
		said+=("${line%% *}")
		exec {fd}>&-
	done
	HELD=()
	# shellcheck disable=SC2034 # for those who source this
	HELD_SAID=${said[*]}
}
