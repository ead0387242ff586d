# shellcheck shell=bash
# tests/podman.sh - the Containerfile's image, for the scripts that run it: see
# tests/container.sh.  Sourced after lib.sh.
#
#	image STAGE		builds it; IMAGE is its id.  Or the stage comes to its end here.
#	limits			LIMITS: options of "podman run", what this shell may give away
#
# What was built stays in podman's store as localhost/hooklatch-test, so that the
# next build is quick; what it replaces goes.

CACHE=localhost/hooklatch-test

# cannot STAGE WHY
cannot() {
	if [ "${HOOKLATCH_TEST_CONTAINER:-}" = must ]; then
		broken "the container can be tried: $2"
	else
		skip "the container" "$2"
	fi
	finish "$1"
}

# build TAG ARGUMENT...: prints the image's id; one at a time
build() {
	local tag=$CACHE:$1 before
	shift
	before=$(podman image inspect -f '{{.Id}}' "$tag" 2>/dev/null) || before=
	podman build --pull=never --network host --quiet -t "$tag" "$@" -f Containerfile . \
	    2>>"$T/log/build" || return 1
	[ -z "$before" ] || [ "$(podman image inspect -f '{{.Id}}' "$tag")" = "$before" ] ||
	    podman rmi "$before" >/dev/null 2>&1 || :
}

limit() {
	local hard
	hard=$(ulimit -H "$1")
	if [ "$hard" = unlimited ] || [ "$hard" -gt 4096 ]; then
		hard=4096
	fi
	echo "$hard:$hard"
}

image() {
	LIMITS=(--ulimit "nofile=$(limit -n)" --ulimit "nproc=$(limit -u)")
	command -v podman >/dev/null || cannot "$1" "podman is not installed"
	podman info >"$T/log/podman" 2>&1 || cannot "$1" "podman does not run here"
	podman image exists docker.io/library/debian:bookworm-slim 2>>"$T/log/podman" ||
	    cannot "$1" "the base image debian:bookworm-slim is not in podman's store"
	mkdir -p "$BUILD"
	exec {IMAGE_LOCK}>"$BUILD/image.lock"
	flock "$IMAGE_LOCK"
	if ! build build --target build >/dev/null || ! IMAGE=$(build latest); then
		broken "the image is built"
		why build
		finish "$1"
	fi
	exec {IMAGE_LOCK}>&-
	kept
	if ! podman run --rm --network none "${LIMITS[@]}" \
	    --entrypoint /usr/local/bin/hooklatch "$IMAGE" version >"$T/version" 2>>"$T/log/podman"; then
		cannot "$1" "podman builds, but cannot run a container here ($(tail -n 1 "$T/log/podman"))"
	fi
}
