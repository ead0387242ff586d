#!/bin/sh
# tests/pubsub-emulator.sh - prints the program of Google's Pub/Sub emulator, or nothing.
# It is looked for where gcloud has its components; HOOKLATCH_PUBSUB_EMULATOR names another.

if [ -n "${HOOKLATCH_PUBSUB_EMULATOR:-}" ]; then
	echo "$HOOKLATCH_PUBSUB_EMULATOR"
elif command -v cloud-pubsub-emulator; then
	:
elif command -v gcloud >/dev/null; then
	root=$(gcloud info --format='value(installation.sdk_root)' 2>/dev/null) || exit 0
	root=$root/platform/pubsub-emulator/bin/cloud-pubsub-emulator
	[ ! -x "$root" ] || echo "$root"
fi
