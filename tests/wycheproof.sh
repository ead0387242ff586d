#!/usr/bin/env bash
# tests/wycheproof.sh - HMAC, Ed25519, ECDSA, RSA and tokens against the vectors of the
# Wycheproof project.
#
# usage: tests/wycheproof.sh [DIRECTORY]	that holds the files already
#
# Those of tokens are in tests/data.  The others are in no package of Debian's but in
# a source of one, android-platform-external-boringssl: it is fetched by apt, from where
# this machine has its packages, into a list of its own, and kept in $BUILD.

. "$(dirname "$0")/lib.sh"

SOURCE=android-platform-external-boringssl
FILES=(
	hmac_sha{1,256,384,512}_test
	eddsa_test
	ecdsa_secp256r1_sha256{,_p1363}_test
	ecdsa_secp384r1_sha384{,_p1363}_test
	ecdsa_secp521r1_sha512{,_p1363}_test
	rsa_signature_{2048,3072}_sha{256,384,512}_test
	rsa_signature_4096_sha{384,512}_test
	rsa_pss_{2048,3072,4096}_sha256_mgf1_32_test
)
VECTORS=${1:-$PWD/build/wycheproof}

# sources DIRECTORY: the machine's lists of packages, as lists of sources
sources() {
	local file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -f "$file" ] || sed -n 's/^deb[ \t]/deb-src /p' "$file"
	done >"$1/src.list"
	for file in /etc/apt/sources.list.d/*.sources; do
		[ ! -f "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$1/${file##*/}"
	done
}

fetch() {
	local dir=$T/apt
	mkdir -p "$dir/lists/partial" "$dir/parts" "$dir/cache/archives/partial" "$T/v"
	sources "$dir/parts"
	local apt=(timeout 300 apt-get -q -o Dir::Etc::SourceList=/dev/null
	    -o Dir::Etc::SourceParts="$dir/parts" -o Dir::State::lists="$dir/lists"
	    -o Dir::Cache="$dir/cache" -o APT::Sandbox::User=)
	"${apt[@]}" update && cd "$dir" &&
	    "${apt[@]}" source --download-only "$SOURCE" &&
	    tar -xJf "$dir/${SOURCE}_"*.orig.tar.xz -C "$T/v" --strip-components=4 \
		--wildcards '*/wycheproof_testvectors/*.json' &&
	    mkdir -p "$VECTORS" && cp "${FILES[@]/#/$T/v/}" "$VECTORS/"
}
FILES=("${FILES[@]/%/.json}")

if [ ! -f "$VECTORS/${FILES[0]}" ]; then
	if command -v apt-get >/dev/null; then
		(fetch) >"$T/log/fetch" 2>&1 || why fetch
	fi
fi
if [ ! -f "$VECTORS/${FILES[0]}" ]; then
	skip "HMAC, Ed25519, ECDSA and RSA vectors agree" \
	    "no source package $SOURCE can be had here"
	FILES=()
fi
"$BUILD/tests/wycheproof" "${FILES[@]/#/$VECTORS/}" tests/data/wycheproof-jws.json \
    >"$T/said" || :
if [[ $(tail -n 1 "$T/said") =~ ^([0-9]+)\ passed\ ([0-9]+)\ failed$ ]]; then
	grep '^not kept' "$T/said" || :
	PASSED=$((PASSED + BASH_REMATCH[1]))
	FAILED=$((FAILED + BASH_REMATCH[2]))
else
	broken "the vectors are tried to their end"
	cat "$T/said"
fi

# It bites: a signature that lacks its end is not as the file says.
sed '0,/"result":"valid"/s/..\(","result":"valid"\)/\1/' tests/data/wycheproof-jws.json >"$T/bent.json"
check "a vector that is bent is seen" eval \
    '! "$BUILD/tests/wycheproof" "$T/bent.json" >/dev/null'
finish wycheproof
