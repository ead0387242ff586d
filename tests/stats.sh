#!/usr/bin/env bash
# tests/stats.sh - what is counted: known traffic through a real nginx, and exactly its
# numbers; no counter goes down when a worker is killed; a stranger neither reads them
# nor adds a series; no secret stands there.
#
# The text is read by the parser of Prometheus' own client library (tests/tool/metrics.py),
# and by promtool where it is installed.  First a handler without the guard of the
# page, which must serve it to a stranger.

. "$(dirname "$0")/lib.sh"
. tests/fronts.sh
. tests/load.sh

programs
FRONT=nginx
mkdir "$T/b" "$T/scrapes"
export STATS_NEW=canary-new STATS_OLD=canary-old
NEW=canary-new OLD=canary-old

# The handler that is to be found guilty.
variant build open-metrics hooklatch.fcgi TEST_METRICS_FOR_ALL

printf '#!/bin/sh\nexit 65\n' >"$T/bin/refuses"	# it is none of ours
chmod 755 "$T/bin/refuses"
DELIVER=', "/hooks/deliver": { "auth": "none", "deliver": ["takes", "refuses", "away", "waits"] }'
DESTINATIONS=', "destinations": {
	"takes": { "exec": "/bin/true" },
	"refuses": { "exec": "@T@/bin/refuses" },
	"away": { "exec": "/bin/false", "retry": { "first": "10ms", "most": "20ms", "tries": 3 } },
	"waits": { "exec": "/bin/true", "delay": "1h" }
}'

# conf [MORE HOOKS]
conf() {
	conf_write <<-END
	{
		"inbox": "sqlite:@T@/courier/inbox.db",
		"courier": "unix:@T@/courier/courier.sock",
		"volatile": true, // the tests' folder may be memory
		"metrics": "/metrics",
		"limits": { "deadline": "2s" },
		"hooks": {
			"/hooks/github": { "provider": "github", "secret": ["env:STATS_NEW", "env:STATS_OLD"] },
			"/hooks/plain": { "provider": "github", "secret": "plain:canary-plain" },
			"/hooks/pass": { "provider": "github", "secret": "env:STATS_NEW", "pass": "@app" },
			"/hooks/small": { "auth": "none", "body": 100 }
			$DELIVER
			${1:-}
		}
		$DESTINATIONS
	}
	END
}

# Two more servers: FAR_PORT believes a header that says who comes, as behind a
# balancer, and has no rule of its own for /metrics; NEAR_PORT has neither.
more_servers() {
	free_port
	FAR_PORT=$PORT
	free_port
	NEAR_PORT=$PORT
	PORT=$MAIN_PORT
	cat >>"$T/nginx/tests.conf" <<-END
		server {
			listen 127.0.0.1:$FAR_PORT;
			set_real_ip_from 127.0.0.1;
			real_ip_header X-Test-Address;
			location / { fastcgi_pass hooklatch; include hooklatch-params.conf; }
		}
		server {
			listen 127.0.0.1:$NEAR_PORT;
			location / { fastcgi_pass hooklatch; include hooklatch-params.conf; }
			location = /vouched {
				fastcgi_pass hooklatch;
				include hooklatch-params.conf;
				fastcgi_param HOOKLATCH_METRICS 1;
			}
		}
	END
	kill -HUP "${PID[web]}"
	within 10 listening "$FAR_PORT" && within 10 listening "$NEAR_PORT"
}

# status METHOD URL [CURL ARGUMENT...]
status() {
	local method=$1 url=$2
	shift 2
	[ "$method" != HEAD ] || set -- -I "$@"
	curl -s -o "$T/answer" -w '%{http_code}' --max-time 20 -X "$method" \
	    --path-as-is "$@" "$url" || :
}

# far ADDRESS [CURL ARGUMENT...]: what somebody there is answered for /metrics
far() {
	local address=$1
	shift
	status GET "http://127.0.0.1:$FAR_PORT/metrics" \
	    -H "X-Test-Address: $address" "$@"
}

parse() {
	/usr/bin/python3 tests/tool/metrics.py "$@"
}

# scrape: the page into $T/text, its samples into $T/samples
scrape() {
	curl -sf --max-time 20 -o "$T/text" "http://127.0.0.1:$PORT/metrics" &&
	    parse <"$T/text" >"$T/samples"
}

# value SERIES: as metrics.py prints it; 0 when it is not there
value() {
	awk -v name="$1" '{ n = $0; sub(/ [^ ]*$/, "", n) }
	    n == name { print $NF; found = 1 } END { if (!found) print 0 }' "$T/samples"
}

# sum NAME: of all series of that name
sum() {
	awk -v name="$1" 'index($0, name "{") == 1 { n += $NF } END { print n + 0 }' "$T/samples"
}

# counted SERIES NUMBER: now, after a scrape
counted() {
	scrape && [ "$(value "$1")" = "$2" ]
}

# soon PROMISE SERIES NUMBER: as soon as the workers have told
soon() {
	if within 10 counted "$2" "$3"; then
		kept
	else
		broken "$1 (wanted $3, got $(value "$2"))"
	fi
}

# exactly PROMISE SERIES NUMBER: in the last scrape
exactly() {
	is "$1" "$3" "$(value "$2")"
}

# requests HOOK STATUS VERDICT, refused HOOK REASON: names of series
requests() {
	echo "hooklatch_requests_total{hook=$1,status=$2,verdict=$3}"
}

refused() {
	echo "hooklatch_refused_total{hook=$1,reason=$2}"
}

# times N COMMAND...
times() {
	local n=$1 i
	shift
	for ((i = 0; i < n; i++)); do
		"$@" >>"$T/log/times"
	done
}

# fresh [PATH [SECRET]]: a push that never came before
fresh() {
	FRESH=$((FRESH + 1))
	echo "{\"n\":$FRESH}" >"$T/b/fresh"
	push "fresh-$FRESH" "$T/b/fresh" "${1:-/hooks/github}" "${2:-$NEW}"
}
FRESH=0

# workers: those that accept, not the one that long bodies go to
workers() {
	local pid
	for pid in $(descendants "${PID[handler]}"); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = hooklatch.long ] || echo "$pid"
	done
}

# --- a page without its guard ----------------------------------------------------------

conf
front_ports
certificates
dir "$T/run"
MAIN_PORT=$PORT
check "the courier starts" courier_start
mv "$T/bin/hooklatch.fcgi" "$T/bin/honest"
cp build/open-metrics/hooklatch.fcgi "$T/bin/hooklatch.fcgi"
check "a pool without the guard starts" pool_start
nginx_start
check "nginx starts" within 20 listening "$PORT"
check "and has more servers" more_servers
is "without the guard a stranger reads the page" 200 "$(far 192.0.2.9)"
stop handler || broken "the guilty pool stops"
mv "$T/bin/honest" "$T/bin/hooklatch.fcgi"
check "the pool starts" pool_start
within 10 eval '[ "$(far 192.0.2.9)" = 404 ]' || :

# --- who may read it ---------------------------------------------------------------------

is "a stranger is answered 404" 404 "$(far 192.0.2.9)"
is "and so by IPv6" 404 "$(far 2001:db8::9)"
is "with headers that look like parameters too" 404 "$(far 192.0.2.9 \
    -H 'HOOKLATCH_METRICS: 1' -H 'HOOKLATCH-METRICS: 1' -H 'Hooklatch-Metrics: 1')"
is "this machine may read it" 200 "$(far 127.0.0.1)"
is "in a server without rules too" 200 \
    "$(status GET "http://127.0.0.1:$NEAR_PORT/metrics")"
is "through a proxy on this machine one may not" 404 "$(status GET \
    "http://127.0.0.1:$NEAR_PORT/metrics" -H 'X-Forwarded-For: 192.0.2.9')"
is "where a location says so one may" 200 "$(status GET \
    "http://127.0.0.1:$NEAR_PORT/vouched" -H 'X-Forwarded-For: 192.0.2.9')"
is "POST is no way to read it" 405 "$(status POST "http://127.0.0.1:$PORT/metrics" -d x)"
is "HEAD is one" 200 "$(status HEAD "http://127.0.0.1:$PORT/metrics")"
like "it is text of Prometheus" '*text/plain; version=0.0.4; charset=utf-8*' \
    "$(curl -sI "http://127.0.0.1:$PORT/metrics")"

# --- known traffic -------------------------------------------------------------------------

check "the page can be read" scrape
# Strangers were there before: their 404s are counted from here.
soon "both workers are known, and the one for long bodies" hooklatch_workers 3
NONE=$(value "$(requests none 404 none)")
echo '{"a":1}' >"$T/b/a"
echo '{"b":2}' >"$T/b/b"
head -c 101 /dev/zero | tr '\0' ' ' >"$T/b/big"

times 12 fresh
times 8 fresh /hooks/github "$OLD"
push repeat "$T/b/a" /hooks/github "$NEW" >"$T/log/times"
times 7 push repeat "$T/b/a" /hooks/github "$NEW"
push repeat "$T/b/b" /hooks/github "$NEW" >>"$T/log/times"	# the same id
push again "$T/b/b" /hooks/github "$NEW" >>"$T/log/times"	# the same bytes
times 5 push forged "$T/b/a" /hooks/github wrong
times 3 status POST "http://127.0.0.1:$PORT/hooks/github" -d '{}'
times 2 status PUT "http://127.0.0.1:$PORT/hooks/github" -d '{}'
times 4 status POST "http://127.0.0.1:$PORT/hooks/none" -d '{}'
times 2 status POST "http://127.0.0.1:$PORT/hooks/small" --data-binary "@$T/b/big"
times 6 status POST "http://127.0.0.1:$PORT/hooks/small" -d '{}'
times 2 push "" "$T/b/a" /hooks/plain canary-plain
fresh /hooks/pass >>"$T/log/times"	# nobody listens behind it: nginx says 502
times 3 status GET "http://127.0.0.1:$PORT/health"

soon "genuine requests" "$(requests /hooks/github 200 genuine)" 30
soon "forged ones" "$(requests /hooks/github 401 forged)" 5
soon "ones without a signature" "$(requests /hooks/github 401 absent)" 3
soon "wrong methods" "$(requests /hooks/github 405 none)" 2
soon "bodies that are too large" "$(requests /hooks/small 413 none)" 2
soon "a hook that is open" "$(requests /hooks/small 200 open)" 6
soon "requests for no hook" "$(requests none 404 none)" $((NONE + 4))
soon "one that passes on" "$(requests /hooks/pass 503 genuine)" 1
exactly "refused: no secret matched" "$(refused /hooks/github 'no secret matched')" 5
exactly "refused: no signature" "$(refused /hooks/github 'no signature')" 3
exactly "refused: the method" "$(refused /hooks/github method)" 2
exactly "refused: too large" "$(refused /hooks/small body-too-large)" 2
exactly "refused: no hook" "$(refused none no-hook)" $((NONE + 4))
exactly "what passes on is not refused" "$(refused /hooks/pass accepted)" 0
exactly "the new secret" 'hooklatch_secret_matches_total{hook=/hooks/github,secret=env:STATS_NEW}' 22
exactly "the old secret" 'hooklatch_secret_matches_total{hook=/hooks/github,secret=env:STATS_OLD}' 8
exactly "one that stands in the file has no name" \
    'hooklatch_secret_matches_total{hook=/hooks/plain,secret=plain}' 2
exactly "new events" 'hooklatch_events_total{hook=/hooks/github}' 23
exactly "repeats" 'hooklatch_repeats_total{hook=/hooks/github}' 7
exactly "an id that came with other bytes" \
    'hooklatch_events_marked_total{hook=/hooks/github,mark=other-body}' 1
exactly "bytes that came under another id" \
    'hooklatch_events_marked_total{hook=/hooks/github,mark=other-id}' 1
all=$(sum hooklatch_requests_total)
exactly "each request has a duration" hooklatch_request_seconds_count "$all"
# One POST of the page was refused.
exactly "no request for the page or for health is counted" \
    hooklatch_request_seconds_count $((30 + 5 + 3 + 2 + 2 + 6 + 2 + 1 + NONE + 4 + 1))
# 30 and 1 of GitHub's, 2 and 6 others: each alone, as curl sends one after another.
exactly "events in batches" hooklatch_batch_events_sum 39
exactly "as many batches as commits" hooklatch_commit_seconds_count \
    "$(value hooklatch_batch_events_count)"
between "each has taken some time" 1 60000000 \
    "$(awk '$1 == "hooklatch_commit_seconds_sum" { print int($2 * 1000000) }' "$T/samples")"
exactly "nothing waits" hooklatch_queue_events 0
exactly "an event could be taken" hooklatch_inbox_ready 1
version=$("$T/bin/hooklatch" version | awk '{ print $2 }')
exactly "the handler's version" "hooklatch_build_info{program=hooklatch.fcgi,version=$version}" 1
exactly "the courier's version" "hooklatch_build_info{program=hooklatch-courier,version=$version}" 1
exactly "nothing is past the bound" hooklatch_series_overflow_total 0

is "no secret stands in it" 0 "$(grep -c canary "$T/text" || :)"
if command -v promtool >/dev/null; then
	check "promtool finds no fault" quietly promtool promtool check metrics <"$T/text"
fi

# --- deliveries ------------------------------------------------------------------------------

# delivered NAME DESTINATION RESULT: the name of a series
delivered() {
	echo "hooklatch_$1_total{destination=$2,result=$3}"
}
times 3 status POST "http://127.0.0.1:$PORT/hooks/deliver" -d '{}'
soon "deliveries that were taken" "$(delivered deliveries takes "done")" 3
soon "ones that were refused" "$(delivered deliveries refuses dead)" 3
soon "ones that were given up" "$(delivered deliveries away dead)" 3
exactly "with an attempt each" "$(delivered attempts takes "done")" 3
exactly "that was the last" "$(delivered attempts refuses dead)" 3
exactly "or with all their tries" "$(delivered attempts away later)" 9
exactly "each attempt took its time" 'hooklatch_attempt_seconds_count{destination=away}' 9
soon "ones that wait" 'hooklatch_deliveries_waiting{destination=waits}' 3
soon "dead ones that are kept" 'hooklatch_dead_letters{destination=refuses}' 3
between "the oldest is not older than this test" 0 600 \
    "$(value 'hooklatch_deliveries_oldest_seconds{destination=waits}' | sed 's/\..*//')"
exactly "nothing else waits" 'hooklatch_deliveries_waiting{destination=takes}' 0

# --- the tool ------------------------------------------------------------------------------

stats() {
	"$T/bin/hooklatch" stats --config "$T/hooklatch.json" "$@"
}
still() {	# what does not grow by itself
	grep -v oldest_seconds
}
check "stats --prometheus is the same text" eval \
    'stats --prometheus | parse | still | cmp -s - <(scrape; still <"$T/samples")'
is "stats --json is JSON, with the same numbers" 30 "$(stats --json | node -e '
	const all = JSON.parse(require("fs").readFileSync(0));
	console.log(all.hooklatch_requests_total.find((s) => s.hook === "/hooks/github" &&
	    s.status === "200" && s.verdict === "genuine").value)')"
like "stats is a table" $'hooklatch_requests_total\n  hook * status  verdict*\n  /hooks/github * 200 * genuine * 30\n*' "$(stats)"

# --- reloads --------------------------------------------------------------------------------

reloaded() {
	grep -cE 'reloaded, generation|reload refused' "$T/log/handler" || :
}
reload() {
	local before
	before=$(reloaded)
	kill -HUP "${PID[handler]}"
	within 10 eval '[ "$(reloaded)" -gt '"$before"' ]'
}
OK='hooklatch_reload_success{program=hooklatch.fcgi}'
AT='hooklatch_reload_success_timestamp_seconds{program=hooklatch.fcgi}'
soon "the first configuration was good" "$OK" 1
first=$(value "$AT")
like "and when is said" '1???????*' "$first"
echo '{ "hooks": {' >"$T/hooklatch.json"
check "a bad file" reload
soon "a reload that was refused" "$OK" 0
exactly "the good one is as old as it was" "$AT" "$first"
kill -9 "$(workers | head -n 1)"
soon "a worker is replaced" hooklatch_workers 3
exactly "and knows of the bad file" "$OK" 0
conf
check "a good file" reload
soon "a reload that went well" "$OK" 1
check "and is newer" awk -v a="$first" -v b="$(value "$AT")" 'BEGIN { exit !(b > a) }'
echo '{' >"$T/hooklatch.json"
kill -HUP "${PID[courier]}"
soon "the courier's reload, refused" 'hooklatch_reload_success{program=hooklatch-courier}' 0
conf
kill -HUP "${PID[courier]}"
soon "and taken" 'hooklatch_reload_success{program=hooklatch-courier}' 1

# --- kills -------------------------------------------------------------------------------------

# Settled: what is counted now cannot be lost.
soon "all is told" hooklatch_workers 3
sleep 2
scrape
cp "$T/samples" "$T/scrapes/0"
before=$(sum hooklatch_requests_total)
make_tool sender
"$T/bin/sender" -p "$PORT" -c 8 -R 400 -n 2000 -b 500 -s "$NEW" -i kill \
    >"$T/log/sender" 2>&1 &
sender=$!
went_down=0 n=0
for ((i = 0; i < 10; i++)); do
	sleep 0.2
	victim=$(workers | sed -n "$((i % 2 + 1))p")
	[ -z "$victim" ] || kill -9 "$victim" 2>/dev/null || :
	if curl -sf --max-time 20 -o "$T/text" "http://127.0.0.1:$PORT/metrics"; then
		n=$((n + 1))
		parse --not-less "$T/scrapes/$((n - 1))" <"$T/text" >"$T/scrapes/$n" 2>>"$T/log/parse" ||
		    went_down=$((went_down + 1))
	fi
done
wait "$sender" || :
between "the page was read between kills" 3 10 "$n"
is "no counter went down while workers were killed" 0 "$went_down"
soon "the workers are there again" hooklatch_workers 3
sleep 2
scrape
after=$(sum hooklatch_requests_total)
acknowledged=$(sent status-200 "$T/log/sender")
events=$(value 'hooklatch_events_total{hook=/hooks/github}')
events=$((events + $(value 'hooklatch_repeats_total{hook=/hooks/github}')))
echo "stats: $acknowledged acknowledged, $((after - before)) counted by workers of which 10 were killed"
check "the courier has counted every event that was acknowledged" \
    [ "$events" -ge $((30 + acknowledged)) ]

# What was told stays, whoever is killed.
PLAIN=$(requests /hooks/plain 200 genuine)
plain=$(value "$PLAIN")
times 5 fresh /hooks/plain canary-plain
soon "five more are counted" "$PLAIN" $((plain + 5))
for victim in $(workers); do
	kill -9 "$victim"
done
times 5 fresh /hooks/plain canary-plain
soon "with both workers killed, five and five" "$PLAIN" $((plain + 10))

# --- the courier away -----------------------------------------------------------------------------

stop courier || broken "the courier stops"
is "without the courier the page is not there" 503 \
    "$(status GET "http://127.0.0.1:$PORT/metrics")"
check "and the tool says so" eval '! quietly stats stats'
like "in a sentence" '*no courier answers*' "$(tail -n 1 "$T/log/stats")"
times 6 fresh
check "the courier comes back" courier_start
soon "what was refused meanwhile is counted" "$(refused /hooks/github courier-away)" 6
exactly "as requests too" "$(requests /hooks/github 503 genuine)" 6
exactly "and everything else began anew" 'hooklatch_events_total{hook=/hooks/github}' 0
exactly "the build is said again" "hooklatch_build_info{program=hooklatch.fcgi,version=$version}" 1

# --- many hooks, and strangers ---------------------------------------------------------------------

conf "$(for ((i = 0; i < 2000; i++)); do
	printf ',"/hooks/many/%d": { "provider": "github", "secret": "env:STATS_NEW" }' "$i"
done)"
check "2,000 hooks" reload
soon "are taken" "$OK" 1
sleep 2
scrape
before=$(wc -l <"$T/samples")
known=$(value "$(requests none 404 none)")
curl -s --max-time 60 -o /dev/null "http://127.0.0.1:$PORT/hooks/stranger-[1-500]?x=[1-2]" -d '{}' || :
soon "a stranger's paths are counted" "$(requests none 404 none)" $((known + 1000))
grows=$(($(wc -l <"$T/samples") - before))
between "and add no series of their own" 0 2 "$grows"
is "hooks that nobody calls have none" 0 "$(grep -c '/hooks/many/' "$T/text" || :)"

conf "$(for ((i = 0; i < 9000; i++)); do
	printf ',"/hooks/many/%d": { "provider": "github", "secret": "env:STATS_NEW" }' "$i"
done)"
check "9,000 hooks" reload
curl -s --max-time 120 -o /dev/null "http://127.0.0.1:$PORT/hooks/many/[0-8999]" -d '{}' || :
absent() {
	awk '/^hooklatch_requests_total\{.*verdict=absent\}/ { n += $NF } END { print n + 0 }' "$T/samples"
}
all_absent() {
	scrape && [ "$(absent)" = 9000 ]
}
check "all of them are called, and every request is counted" within 20 all_absent
series=$(grep -cE '^hooklatch_(requests|refused)_total' "$T/samples")
between "in no more series than there may be" 8000 8448 "$series"
between "the others are one" 1 9000 "$(value "$(requests other 401 absent)")"
between "and that is said" 1 18000 "$(value hooklatch_series_overflow_total)"
between "the page is long, and whole" 400000 4000000 "$(wc -c <"$T/text")"
is "also when it is asked for by eight at once" 8 "$(for ((i = 0; i < 8; i++)); do
	curl -sf --max-time 30 "http://127.0.0.1:$PORT/metrics" -o "$T/scrapes/long$i" &
done
wait
for ((i = 0; i < 8; i++)); do
	! parse <"$T/scrapes/long$i" >/dev/null 2>&1 || echo whole
done | wc -l)"
curl -s --limit-rate 100k --max-time 1 -o /dev/null "http://127.0.0.1:$PORT/metrics" || :
check "somebody who reads slowly, and goes, harms nobody" scrape

# --- without an inbox -------------------------------------------------------------------------------

stop handler || broken "the pool stops"
stop courier || broken "the courier stops"
DELIVER='' DESTINATIONS=''
conf
sed -i -e 's#"sqlite:[^"]*"#"none"#' "$T/hooklatch.json"
check "a pool that keeps nothing" pool_start
is "has no metrics by itself" 503 "$(status GET "http://127.0.0.1:$PORT/metrics")"
check "with a courier beside it" courier_start
times 3 fresh
soon "it has" "$(requests /hooks/github 200 genuine)" 3

[ "$FAILED" -eq 0 ] || why handler courier web parse
finish stats
