#!/bin/sh
# nginx.sh CONF - nginx in the foreground, as a container of its own.
#
# Cloud Run says SIGTERM, which ends nginx in the middle of its requests; SIGQUIT lets it
# answer them first.  (The STOPSIGNAL of an image is not asked there.)
nginx -e stderr -c "$1" -g 'daemon off;' &
pid=$!
trap 'kill -s QUIT "$pid"' TERM INT
status=0
wait "$pid" || status=$?
# A signal ends the wait, not nginx.
while kill -s 0 "$pid" 2>/dev/null; do
	status=0
	wait "$pid" || status=$?
done
exit "$status"
