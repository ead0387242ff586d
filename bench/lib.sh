# shellcheck shell=bash
# bench/lib.sh - what script/bench and script/bench-more share: the push that is sent, a
# peer that runs, what it used, the machine.  Sourced after bench/peers.sh and
# tests/lib.sh, with COMMAND and LOAD_BEFORE set by who sources it.

# shellcheck disable=SC2034 # for who sources this
declare -A KIND=() CHECKS=() LARGEST=() TITLE=()
ORDER=()
while read -r name kind checks largest title; do
	[ -n "$name" ] || continue
	# shellcheck disable=SC2034
	KIND[$name]=$kind CHECKS[$name]=$checks LARGEST[$name]=$largest TITLE[$name]=$title
	[[ $kind == trap* ]] || ORDER+=("$name")
done <<<"$PEERS"

die() { # die STATUS SENTENCE
	echo "$0: $2" >&2
	exit "$1"
}

# lib.sh counts promises; here the first one that is not kept ends it.
ended() {
	local status=$?
	trap - EXIT ERR
	clean_up
	exit "$status"
}

# on_a_disk: sets LOAD_BEFORE and DISK_SYNCS; ends it where data would be in memory
on_a_disk() {
	[ "$(findmnt -n -o FSTYPE -T "$T")" != tmpfs ] ||
	    die 65 "$TMPDIR is memory, and a sync there costs nothing: set TMPDIR to a folder on a disk"
	LOAD_BEFORE=$(cut -d' ' -f1-3 /proc/loadavg)
	awk -v load="${LOAD_BEFORE%% *}" 'BEGIN { exit load > 0.5 }' ||
	    echo "$0: this machine is busy (load $LOAD_BEFORE): figures of it compare nothing" >&2
	DISK_SYNCS=$(disk_syncs)
}

# into_page PAGE MARK FILE: FILE, in the place of what stands between the page's marks
into_page() {
	awk -v file="$3" -v mark="$2" '
		index($0, "<!-- end of " mark " ") == 1 { skip = 0 }
		!skip { print }
		index($0, "<!-- begin of " mark " ") == 1 {
			while ((getline line <file) > 0) print line
			skip = 1
		}
	' "$1" >"$T/page"
	cat "$T/page" >"$1"
}

# --- the push -----------------------------------------------------------------------

# bytes SIZE: 7k is as kilobytes are counted
bytes() {
	case $1 in
	*k) echo $((${1%k} * 1024)) ;;
	*m) echo $((${1%m} * 1024 * 1024)) ;;
	*) echo "$1" ;;
	esac
}

# push_of BYTES: a push with as many commits as go into it, to the byte
push_of() {
	awk -v size="$1" 'BEGIN {
		head = "{\"ref\":\"refs/heads/main\",\"pusher\":\""
		list = "\",\"commits\":["
		n = length(head list "]}")
		for (i = 0; i < 8; i++)
			why = why "It says why, in a line of usual length\\n"
		for (;;) {
			commit = sprintf("%s{\"id\":\"%040d\",\"message\":\"Commit %d: a \\u00e4 line\\n\\n%s\"," \
			    "\"timestamp\":\"2026-01-05T10:00:00+01:00\",\"author\":{\"name\":\"A. Uthor\"," \
			    "\"email\":\"a@example.com\"},\"added\":[],\"removed\":[],\"modified\":[\"a/b%d.c\"],\"distinct\":true}",
			    count > 0 ? "," : "", count, count, why, count)
			if (n + length(commit) > size)
				break
			n += length(commit)
			commits[count++] = commit
		}
		printf "%s", head
		while (n++ < size)
			printf "x"
		printf "%s", list
		for (i = 0; i < count; i++)
			printf "%s", commits[i]
		printf "]}"
	}'
}

# the_push SIZE: sets BODY, SIG; and BROKEN, BROKEN_SIG, the same without its last brace
the_push() {
	BODY=$T/push.$1 BROKEN=$T/push.$1.broken
	BODY_BYTES=$(bytes "$1")
	[ -e "$BODY" ] || push_of "$BODY_BYTES" >"$BODY"
	[ -e "$BROKEN" ] || head -c -1 "$BODY" >"$BROKEN"
	SIG=sha256=$(hmac_hex "$BENCH_SECRET" "$BODY")
	BROKEN_SIG=sha256=$(hmac_hex "$BENCH_SECRET" "$BROKEN")
	export BODY SIG
}

# --- a peer that runs -----------------------------------------------------------------

# up NAME: in a folder of its own, with a port of its own
up() {
	R=$T/start
	rm -rf "$R"
	mkdir "$R"
	free_port
	peer_start "$1" || failed "$1" "did not start"
	RUNS=$1 ACKNOWLEDGED=0
	within 20 answers || failed "$1" "does not answer on 127.0.0.1:$PORT"
}

# What it has of its own is in its logs.
failed() { # failed NAME WHAT
	local file
	for file in "$T"/log/* "$R"/*.log; do
		if [ -s "$file" ]; then
			echo "--- the end of ${file##*/}:"
			tail -n 8 "$file"
		fi
	done >&2
	die 1 "$1 (${TITLE[$1]}) $2"
}

status_of() { # status_of SIGNATURE FILE
	curl -s -o "$T/answer" -w '%{http_code}' --max-time 20 -H 'Expect:' \
	    -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \
	    -H "X-GitHub-Delivery: $(uuid)" -H "X-Hub-Signature-256: $1" \
	    --data-binary "@$2" "http://127.0.0.1:$PORT/hooks/github" || :
}

# Any status of HTTP but a web server's of what is not there yet.
answers() {
	local status
	[ "$RUNS" != xadd ] || return 0
	status=$(status_of sha256=00 "$BODY")
	[[ $status =~ ^[1-5] ]] && [ "$status" != 502 ]
}

# It does the work before it is timed.
prove() { # prove NAME
	local status
	[ "${KIND[$1]}" != xadd ] || return 0
	status=$(status_of "$SIG" "$BODY")
	[[ $status == 2?? ]] || failed "$1" "answered $status to a genuine push, not 2xx"
	ACKNOWLEDGED=$((ACKNOWLEDGED + 1))
	case ${CHECKS[$1]} in
	-)	# Nothing is checked, and each push is taken: the ones that answers() sent too.
		return 0
		;;
	esac
	# a signature of the right form, and of something else
	status=$(status_of "$BROKEN_SIG" "$BODY")
	[[ $status == 4?? ]] || failed "$1" "answered $status to a wrong signature, not 4xx: it verifies nothing"
	[[ ${CHECKS[$1]} == *json* ]] || return 0
	status=$(status_of "$BROKEN_SIG" "$BROKEN")
	[[ $status == 4?? ]] || failed "$1" "answered $status to broken JSON, not 4xx"
}

# --- figures --------------------------------------------------------------------------

# used: of the peer's processes, also those that have ended: ticks of CPU, KiB of memory
# in proportion (PSS); -1 KiB where the kernel does not say it of all of them
used() {
	local name roots=() pid ticks pids
	for name in "${!PID[@]}"; do
		[[ $name =~ ^(reader|busy)$ ]] || roots+=("${PID[$name]}")
	done
	read -r ticks pids < <(cat /proc/[0-9]*/stat 2>/dev/null | awk -v roots="${roots[*]}" '
		{
			pid = $1
			sub(/^.*\) /, "")
			parent[pid] = $2
			spent[pid] = $12 + $13 + $14 + $15
		}
		END {
			n = split(roots, root, " ")
			for (i = 1; i <= n; i++)
				mine[root[i]] = 1
			do {
				more = 0
				for (p in parent)
					if (!(p in mine) && parent[p] in mine)
						mine[p] = more = 1
			} while (more)
			for (p in mine) {
				sum += spent[p]
				list = list " " p
			}
			print sum, list
		}')
	# shellcheck disable=SC2034
	TICKS=$ticks
	PSS=$(for pid in $pids; do cat "/proc/$pid/smaps_rollup" 2>/dev/null || echo "Pss_none: $pid"; done |
	    awk '$1 == "Pss:" { sum += $2; seen++ } END { print seen ? sum : -1 }')
}

# --- the machine ------------------------------------------------------------------------

disk_syncs() {
	if ! command -v fio >/dev/null; then
		echo "its syncs were not counted: there is no fio"
		return
	fi
	fio --name=disk --filename="$T/disk" --size=16m --rw=write --bs=4k --ioengine=sync \
	    --fsync=1 --time_based --runtime=2 --output-format=terse --terse-version=3 |
	    awk -F';' '{ printf "%d synced 4 KB writes a second", $49 }'
	rm -f "$T/disk"
}

# machine NAME...: with the versions of these peers
machine() {
	local source model name
	source=$(findmnt -n -o SOURCE -T "$T" || :)
	model=$(lsblk -dno MODEL "$source" 2>/dev/null | xargs || :)
	echo "- command: \`$COMMAND\`"
	echo "- source: $(git rev-parse --short HEAD 2>/dev/null || echo 'not in git')$(
		[ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || echo ', and changes')"
	echo "- when: $(date -u '+%Y-%m-%d %H:%M UTC'); load of the machine before: $LOAD_BEFORE"
	echo "- processors: $(nproc), $(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)"
	echo "- memory: $(awk '/^MemTotal/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo)"
	echo "- disk: $(findmnt -n -o FSTYPE -T "$T" || :) on $source${model:+ ($model)}, $DISK_SYNCS"
	echo "- system: $(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r)"
	printf -- '- versions:'
	for name; do
		case $(version_of "$name") in
		'') ;;
		*) printf ' %s %s;' "$name" "$(version_of "$name")" ;;
		esac
	done
	printf ' wrk %s; gcc %s\n' "$(dpkg-query -W -f '${Version}' wrk)" "$(gcc -dumpfullversion)"
}
