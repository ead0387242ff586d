#!/usr/bin/env bash
# tests/exec.sh - the tests of programs that misbehave, tried on a sender that does
# nothing against it: each must fail there, and be kept by ours.  And all of them where
# the kernel lacks what ours would use.

. "$(dirname "$0")/lib.sh"

GUILTY=$BUILD/guilty-exec
san=()
[[ $BUILD != *san* ]] || san=(SAN=1)
built "$BUILD" tests/test_exec "${san[@]}"
variant "$BUILD" guilty-exec tests/test_exec \
    TEST_NO_GROUP_KILL TEST_NO_DEATH_SIGNAL TEST_NO_CLOSE

# said PROGRAM SECTION: what it found broken, without file and line
said() {
	timeout 120 "$1/tests/test_exec" "$2" 2>&1 | sed -nE 's/^[^ ]*: not kept: (.*)  \(.*\)$/\1/p'
}
# guilty SECTION PROMISE: found of the courier without the guard, and not of ours
guilty() {
	like "without the guard it is noticed: $2" "*$2*" "$(said "$GUILTY" "$1")"
	is "$2" "" "$(said "$BUILD" "$1")"
}
guilty group "what a program leaves in its group is ended"
guilty killed "kill -9 of the courier ends its programs"
guilty descriptors "no other descriptor is open in a program"

# Where the kernel has no pidfd, programs are looked at instead.
variant "$BUILD" no-pidfd tests/test_exec TEST_NO_PIDFD
check "without pidfd all of it holds too" \
    timeout 300 "$BUILD/no-pidfd/tests/test_exec"

finish exec-guards
