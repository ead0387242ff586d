# shellcheck shell=bash
# tests/npm.sh - what the tests take from npm, in the versions that package-lock.json
# pins.  To be sourced from the top of the tree and before lib.sh, which takes the
# proxies away.
#
#	npm_packages NAME	or "NAME: 0 passed, 1 failed", and exit

npm_packages() {
	if ! command -v npm >/dev/null; then
		echo "$1: npm is missing, which brings what is compared" >&2
		echo "$1: 0 passed, 1 failed"
		exit 1
	fi
	mkdir -p build
	(	# stages run beside each other: one brings them, the others wait
		flock 9
		npm ls --silent >/dev/null 2>&1 ||
		    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	) 9>build/npm.lock
}
