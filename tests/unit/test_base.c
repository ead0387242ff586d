/* test_base.c - the small things that everything else stands on. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/os.h"
#include "base/str.h"
#include "base/trace.h"
#include "base/when.h"
#include "bundle.h"
#include "event.h"
#include "test.h"

static char	dir[] = "/tmp/test_base.XXXXXX";

static const char *
in_dir(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void
strings(void)
{
	struct str rest, s;
	uint64_t v;
	size_t i;
	static const struct {
		const char	*s, *prefix;
		bool		 starts, ends;
	} parts[] = {
		{ "abc", "ab", true, false }, { "abc", "bc", false, true },
		{ "abc", "abc", true, true }, { "abc", "abcd", false, false },
		{ "abc", "", true, true }, { "", "a", false, false },
		{ "", "", true, true }, { "abc", "AB", false, false },
	};
	static const struct {
		const char	*s;
		bool		 good;
		uint64_t	 v;
	} numbers[] = {
		{ "0", true, 0 }, { "7", true, 7 }, { "007", true, 7 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "18446744073709551620", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "", false, 0 }, { "-1", false, 0 }, { "+1", false, 0 },
		{ " 1", false, 0 }, { "1 ", false, 0 }, { "1a", false, 0 },
		{ "0x1", false, 0 }, { "1.0", false, 0 }, { "1e3", false, 0 },
		{ "\xd9\xa1", false, 0 },
	};

	CHECK(str_of(NULL).p == NULL && str_of("").p != NULL,
	    "absent is not empty");
	CHECK(str_eq(STR("a\0b"), STR("a\0b")) && !str_eq(STR("a\0b"),
	    STR("a\0c")), "a NUL ends nothing");
	CHECK(!str_eq(STR("a"), STR("ab")), "a beginning is not equal");
	CHECK(str_eq(STR_NONE, STR("")), "absent compares as empty");
	CHECK(str_eq_nocase(STR("X-Hub"), STR("x-hUB")), "letters fold");
	CHECK(!str_eq_nocase(STR("[@"), STR("{`")), "only letters fold");
	CHECK(!str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")),
	    "only ASCII folds");
	CHECK(str_eq_secret(STR("key"), STR("key")) &&
	    !str_eq_secret(STR("key"), STR("kez")) &&
	    !str_eq_secret(STR("key"), STR("keyy")) &&
	    !str_eq_secret(STR("key"), STR("")) &&
	    str_eq_secret(STR_NONE, STR("")), "a secret is equal or not");
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		CHECKF(str_starts(str_of(parts[i].s), str_of(parts[i].prefix))
		    == parts[i].starts, "\"%s\" starts with \"%s\"", parts[i].s,
		    parts[i].prefix);
		CHECKF(str_ends(str_of(parts[i].s), str_of(parts[i].prefix))
		    == parts[i].ends, "\"%s\" ends with \"%s\"", parts[i].s,
		    parts[i].prefix);
	}
	CHECK(str_starts_nocase(STR("Bearer x"), STR("bEARER ")) &&
	    !str_starts_nocase(STR("Bear"), STR("bearer")),
	    "starts without case");
	CHECK(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("b"), STR("a")) > 0
	    && str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("ab"),
	    STR("a")) > 0 && str_cmp(STR("a"), STR("a")) == 0 &&
	    str_cmp(STR("\x7f"), STR("\x80")) < 0, "bytes have an order");

	rest = STR("a,,b");
	s = str_cut(&rest, ',');
	CHECK(str_eq(s, STR("a")) && rest.p != NULL, "the first piece");
	s = str_cut(&rest, ',');
	CHECK(s.p != NULL && s.n == 0 && rest.p != NULL, "an empty piece");
	s = str_cut(&rest, ',');
	CHECK(str_eq(s, STR("b")) && rest.p == NULL, "the last piece");
	s = str_cut(&rest, ',');
	CHECK(s.p == NULL && rest.p == NULL, "nothing of nothing");
	rest = STR("a,");
	s = str_cut(&rest, ',');
	CHECK(rest.p != NULL && rest.n == 0,
	    "what follows a last separator is empty, not absent");

	CHECK(str_eq(str_trim(STR(" \t a b\t ")), STR("a b")), "trimmed");
	CHECK(str_trim(STR("   ")).n == 0, "trimmed to nothing");
	CHECK(str_eq(str_trim(STR("\na\r")), STR("\na\r")),
	    "only spaces and tabs are trimmed");
	CHECK(str_eq(str_skip(STR("abc"), 1), STR("bc")) &&
	    str_skip(STR("abc"), 9).n == 0 && str_skip(STR_NONE, 1).p == NULL,
	    "skipped");
	CHECK(str_eq(str_head(STR("abc"), 2), STR("ab")) &&
	    str_head(STR("abc"), 9).n == 3, "the head");
	CHECK(str_find(STR("abca"), 'a') == 0 && str_find(STR("abc"), 'c') == 2
	    && str_find(STR("abc"), 'x') == -1 && str_find(STR_NONE, 'a') == -1
	    && str_find(STR("a\0b"), 'b') == 2, "found");
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct str t = str_of(numbers[i].s);

		t.p = test_flush(t.p, t.n);
		v = 4711;
		CHECKF(str_to_u64(t, &v) == numbers[i].good &&
		    v == (numbers[i].good ? numbers[i].v : 4711),
		    "as a number: \"%s\"", numbers[i].s);
	}
	CHECK(str_printable(STR(" ~")) && !str_printable(STR("")) &&
	    !str_printable(STR("a\n")) && !str_printable(STR("\x7f")) &&
	    !str_printable(STR("\xc3\xa4")) && !str_printable(STR("\0")),
	    "printable");
	CHECK(str_distance(STR("provider"), STR("provider")) == 0 &&
	    str_distance(STR("provider"), STR("PROVIDER")) == 0 &&
	    str_distance(STR("secret"), STR("secrt")) == 1 &&
	    str_distance(STR("secret"), STR("sceret")) == 2 &&
	    str_distance(STR("kitten"), STR("sitting")) == 3 &&
	    str_distance(STR(""), STR("abc")) == 3 &&
	    str_distance(STR("abc"), STR("")) == 3, "how unlike");
}

static void
arenas(void)
{
	struct arena *a = arena_new(100000);
	char *p, *q;
	struct str s;
	size_t i;

	for (i = 1; i < 100; i++) {
		arena_bytes(a, i % 7);
		p = arena_alloc(a, i);
		CHECK(p != NULL && (uintptr_t)p % _Alignof(max_align_t) == 0,
		    "aligned for any type");
	}
	arena_reset(a);
	CHECK(arena_used(a) == 0, "nothing is used after a reset");
	p = arena_bytes(a, 100);
	memset(p, 'x', 100);
	arena_reset(a);
	q = arena_alloc(a, 100);
	CHECK(p == q, "the first block is used again");
	CHECK(q[0] == 0 && q[99] == 0, "what is allocated is zeroed");
	arena_reset(a);
	CHECK(arena_bytes(a, 100001) == NULL, "past the limit is nothing");
	CHECK(arena_bytes(a, 100000) != NULL, "up to the limit is all");
	CHECK(arena_bytes(a, 1) == NULL && arena_alloc(a, 1) == NULL &&
	    arena_str(a, STR("")).p == NULL && arena_printf(a, "x").p == NULL,
	    "at the limit is nothing more");
	CHECK(arena_bytes(a, SIZE_MAX) == NULL && arena_alloc(a, SIZE_MAX - 8)
	    == NULL, "no size overflows");
	arena_reset(a);
	p = arena_bytes(a, 40000);
	q = arena_bytes(a, 10);
	memset(p, 1, 40000);
	memset(q, 2, 10);
	CHECK(p[39999] == 1 && q[0] == 2, "a large one and a small one");
	s = arena_str(a, STR("a\0b"));
	CHECK(str_eq(s, STR("a\0b")) && s.p[3] == '\0', "a copy has a NUL");
	CHECK(arena_str(a, STR_NONE).p != NULL, "a copy of nothing is empty");
	s = arena_printf(a, "%d-%s", 7, "x");
	CHECK(str_eq(s, STR("7-x")), "formatted");
	for (i = 0; i < 49000; i++)
		if ((p = arena_bytes(a, 1)) == NULL)
			break;
		else
			*p = (char)i;
	CHECK(i == 49000, "byte by byte");
	arena_free(a);
	arena_free(NULL);
	arena_wipe(NULL);
}

static void
buffers(void)
{
	struct buf b = BUF(1000), none = BUF(0), fixed;
	char room[8];
	size_t i;

	CHECK(buf_ok(&b) && buf_str(&b).p != NULL && buf_str(&b).n == 0,
	    "empty at birth, not absent");
	for (i = 0; i < 1000; i++)
		buf_putc(&b, 'a');
	CHECK(buf_ok(&b) && buf_str(&b).n == 1000, "up to the limit");
	buf_put(&b, STR(""));
	CHECK(buf_ok(&b), "nothing more fits always");
	buf_putc(&b, 'b');
	CHECK(!buf_ok(&b) && buf_str(&b).n == 1000, "past the limit is bad");
	CHECK(buf_take(&b, 0) == NULL, "bad stays bad");
	buf_reset(&b);
	buf_put(&b, STR("abcdef"));
	buf_drop(&b, 2);
	CHECK(buf_ok(&b) && str_eq(buf_str(&b), STR("cdef")), "used again");
	buf_drop(&b, 99);
	CHECK(buf_str(&b).n == 0, "dropped more than there is");
	buf_printf(&b, "%s-%d", "x", 5);
	CHECK(str_eq(buf_str(&b), STR("x-5")), "formatted");
	buf_printf(&b, "%0600d", 7);
	CHECK(buf_ok(&b) && buf_str(&b).n == 603 && buf_str(&b).p[602] == '7',
	    "formatted, and long");
	buf_printf(&b, "%0600d", 7);
	CHECK(!buf_ok(&b), "formatted past the limit is bad");
	buf_free(&b);
	CHECK(buf_ok(&b), "ready again after it was freed");
	buf_putc(&none, 'a');
	CHECK(!buf_ok(&none), "a limit of 0 holds nothing");
	buf_free(&none);
	fixed = (struct buf){ .p = room, .cap = 8, .limit = 8 };
	buf_put(&fixed, STR("12345678"));
	CHECK(buf_ok(&fixed) && fixed.p == room, "memory of the caller's");
	buf_putc(&fixed, '9');
	CHECK(!buf_ok(&fixed) && fixed.p == room, "does not grow");
}

static const struct {
	struct str	 in, out;
} escaped[] = {
#define S(lit)	{ lit, sizeof(lit) - 1 }
	{ S(""), S("\"\"") },
	{ S("plain"), S("\"plain\"") },
	{ S("a\"b\\c/d"), S("\"a\\\"b\\\\c/d\"") },
	{ S("\n\r\t\b\x1b\0"), S("\"\\n\\r\\t\\u0008\\u001b\\u0000\"") },
	{ S("\x7f"), S("\"\\u007f\"") },
	{ S("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"),
	    S("\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\"") },
	{ S("\xff"), S("\"\xef\xbf\xbd\"") },
	{ S("a\xc3"), S("\"a\xef\xbf\xbd\"") },
	{ S("\xc0\xaf"), S("\"\xef\xbf\xbd\xef\xbf\xbd\"") },
	{ S("\xed\xa0\x80"), S("\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"") },
	{ S("\xe2\x82"), S("\"\xef\xbf\xbd\xef\xbf\xbd\"") },
	/* CSI of a terminal as one character: U+009B */
	{ S("\xc2\x9b" "31m"), S("\"\\u009b31m\"") },
	{ S("\xc2\xa0"), S("\"\xc2\xa0\"") },
	{ S("\xc2"), S("\"\xef\xbf\xbd\"") },
};

static void
json_strings(void)
{
	static const struct json_limits one = { 0, 1 };
	struct buf b = BUF(10000);
	char byte[3];
	size_t i;

	for (i = 0; i < sizeof(escaped) / sizeof(escaped[0]); i++) {
		struct str in = escaped[i].in;

		in.p = test_flush(in.p, in.n);
		buf_reset(&b);
		buf_json(&b, in);
		CHECKF(str_eq(buf_str(&b), escaped[i].out), "escaped: %.*s",
		    STR_ARG(buf_str(&b)));
	}
	for (i = 0; i < 65536; i++) {
		byte[0] = (char)i;
		byte[1] = (char)(i >> 8);
		buf_reset(&b);
		buf_json(&b, (struct str){ byte, 2 });
		if (json_scan(buf_str(&b), one, NULL) != JSON_OK)
			CHECKF(0, "any two bytes become JSON: %04zx", i);
	}
	CHECK(1, "any two bytes become JSON");
	buf_free(&b);
}

static const struct {
	const char	*says;
	char		 how;		/* h, b, u */
	const char	*text, *want;	/* NULL: refused */
} decodings[] = {
	{ "hex", 'h', "00ff7F", "\x00\xff\x7f" },
	{ "no hex", 'h', "", "" },
	{ "half a byte", 'h', "0", NULL },
	{ "three digits", 'h', "0ff", NULL },
	{ "a letter past f", 'h', "0g", NULL },
	{ "0x", 'h', "0x00", NULL },
	{ "a space", 'h', "0 00", NULL },
	{ "a colon", 'h', "00:0", NULL },

	{ "base64 of three", 'b', "Zm9v", "foo" },
	{ "base64 of four", 'b', "Zm9vYg==", "foob" },
	{ "base64 of five", 'b', "Zm9vYmE=", "fooba" },
	{ "base64 of nothing", 'b', "", "" },
	{ "base64 with + and /", 'b', "+/+/", "\xfb\xff\xbf" },
	{ "no padding", 'b', "Zm9vYg", NULL },
	{ "half the padding", 'b', "Zm9vYg=", NULL },
	{ "too much padding", 'b', "Zm9v====", NULL },
	{ "padding alone", 'b', "====", NULL },
	{ "three of padding", 'b', "Z===", NULL },
	{ "padding in the middle", 'b', "Zg==Zm9v", NULL },
	{ "trailing bits of two letters", 'b', "Zm9vYh==", NULL },
	{ "trailing bits of three letters", 'b', "Zm9vYmF=", NULL },
	{ "a letter of the URL's", 'b', "-_-_", NULL },
	{ "a newline", 'b', "Zm9v\n", NULL },
	{ "a newline inside", 'b', "Zm\n9", NULL },
	{ "a space inside", 'b', "Zm 9", NULL },
	{ "a byte beyond ASCII", 'b', "Zm9\xff", NULL },
	{ "one letter", 'b', "Z", NULL },

	{ "base64url", 'u', "-_-_", "\xfb\xff\xbf" },
	{ "base64url without padding", 'u', "Zm9vYg", "foob" },
	{ "base64url with padding", 'u', "Zm9vYg==", "foob" },
	{ "base64url with half the padding", 'u', "Zm9vYg=", NULL },
	{ "base64url with + and /", 'u', "+/+/", NULL },
	{ "base64url, trailing bits", 'u', "Zm9vYh", NULL },
	{ "base64url, one letter too many", 'u', "Zm9vY", NULL },
};

/* RFC 3720, appendix B.4. */
static void
checksums(void)
{
	static const unsigned char scsi[48] = { 0x01, 0xc0, [16] = 0x14, [22] = 0x04,
		[27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02 };
	unsigned char up[32], down[32], ones[32], zeros[32] = { 0 };
	const struct { const void *p; size_t n; uint32_t sum; } t[] = {
		{ zeros, 32, 0x8a9136aa }, { ones, 32, 0x62a8ab43 },
		{ up, 32, 0x46dd794e }, { down, 32, 0x113fdb5c },
		{ scsi, 48, 0xd9963a56 }, { "123456789", 9, 0xe3069283 },
		{ "", 0, 0 },
	};

	for (unsigned i = 0; i < 32; i++) {
		ones[i] = 0xff;
		up[i] = (unsigned char)i;
		down[i] = (unsigned char)(31 - i);
	}
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		CHECKF(crc32c((struct str){ t[i].p, t[i].n }) == t[i].sum,
		    "the checksum of row %zu", i);
}

static void
codecs(void)
{
	struct arena *a = arena_new(1 << 20), *tiny = arena_new(2);
	unsigned char out[64], all[256];
	struct pair *pairs;
	struct str s;
	size_t i, n, k;
	bool r = false;

	for (i = 0; i < sizeof(decodings) / sizeof(decodings[0]); i++) {
		struct str t = str_of(decodings[i].text);

		t.p = test_flush(t.p, t.n);
		n = 0;
		switch (decodings[i].how) {
		case 'h': r = hex_decode(t, out, sizeof(out), &n); break;
		case 'b': r = base64_decode(t, out, sizeof(out), &n); break;
		case 'u': r = base64url_decode(t, out, sizeof(out), &n); break;
		}
		if (decodings[i].want == NULL)
			CHECKF(!r, "refused: %s", decodings[i].says);
		else
			CHECKF(r && n < sizeof(out) && memcmp(out,
			    decodings[i].want, n) == 0 && (decodings[i].how ==
			    'h' ? n == t.n / 2 : n == strlen(decodings[i].want)
			    ), "decoded: %s", decodings[i].says);
	}
	CHECK(!hex_decode(STR("0000"), out, 1, &n) &&
	    !base64_decode(STR("Zm9v"), out, 2, &n) &&
	    !base64_decode(STR("Zm9vYg=="), out, 3, &n) &&
	    !base64url_decode(STR("Zm9vYg"), out, 3, &n),
	    "what does not fit is refused");
	CHECK(base64_decode(STR("Zm9vYg=="), out, 4, &n) && n == 4,
	    "what just fits is taken");

	for (i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	for (i = 0; i <= 256; i++) {
		struct str in = { (const char *)all, i };
		unsigned char back[BASE64_ROOM(344)];
		char text[BASE64_TEXT(256)];

		s = base64_encode(a, in);
		base64_print(text, in);
		CHECK(s.n == BASE64_TEXT(i) && memcmp(text, s.p, s.n) == 0,
		    "both base64 writers agree");
		CHECK(base64_decode(s, back, sizeof(back), &n) && n == i &&
		    memcmp(back, all, n) == 0, "base64 there and back");
		CHECK(n <= BASE64_ROOM(s.n), "there is room for it");
		s = base64url_encode(a, in);
		CHECK(str_find(s, '=') < 0 && base64url_decode(s, back,
		    sizeof(back), &n) && n == i && memcmp(back, all, n) == 0,
		    "base64url there and back");
		s = hex_encode(a, in, i % 2);
		CHECK(hex_decode(s, back, sizeof(back), &n) && n == i &&
		    memcmp(back, all, n) == 0, "hex there and back");
		arena_reset(a);
	}
	CHECK(str_eq(hex_encode(a, STR("\xab\xcd"), false), STR("abcd")) &&
	    str_eq(hex_encode(a, STR("\xab\xcd"), true), STR("ABCD")),
	    "hex in both cases");
	CHECK(hex_encode(tiny, STR("abc"), false).p == NULL &&
	    base64_encode(tiny, STR("abc")).p == NULL &&
	    url_encode(tiny, STR("abc")).p == NULL &&
	    url_decode(tiny, STR("abc"), true).p == NULL,
	    "nothing at the arena's limit");

	CHECK(str_eq(url_decode(a, STR("a%41%2f+%c3%A4"), true),
	    STR("aA/ \xc3\xa4")), "decoded as a form");
	CHECK(str_eq(url_decode(a, STR("a+b"), false), STR("a+b")),
	    "a plus outside a form");
	CHECK(str_eq(url_decode(a, STR("%"), true), STR("%")) &&
	    str_eq(url_decode(a, STR("%4"), true), STR("%4")) &&
	    str_eq(url_decode(a, STR("%4x%zz%%41"), true), STR("%4x%zz%A")),
	    "a percent sign that is none stays");
	CHECK(str_eq(url_decode(a, STR("%00"), true), STR("\0")),
	    "a NUL is decoded");
	s = (struct str){ test_flush("ab%4", 4), 4 };
	CHECK(str_eq(url_decode(a, s, true), s), "nothing is read behind");
	CHECK(str_eq(url_encode(a, STR("aZ09-._~ /+%\xc3\xa4")),
	    STR("aZ09-._~%20%2F%2B%25%C3%A4")), "encoded");

	CHECK(form_parse(a, STR("a=1&b=2&a=3&c&=d&&e=x=y&f=+%26"), 9, &pairs,
	    &n) == 0 && n == 7, "pairs are counted");
	if (n == 7) {
		CHECK(str_eq(pairs[0].name, STR("a")) && str_eq(pairs[2].name,
		    STR("a")) && str_eq(pairs[2].value, STR("3")),
		    "repeats are kept in order");
		CHECK(str_eq(pairs[3].name, STR("c")) && pairs[3].value.n == 0,
		    "a name without a value");
		CHECK(pairs[4].name.n == 0 && str_eq(pairs[4].value, STR("d")),
		    "a value without a name");
		CHECK(str_eq(pairs[5].value, STR("x=y")),
		    "the first = separates");
		CHECK(str_eq(pairs[6].value, STR(" &")), "values are decoded");
	}
	CHECK(form_parse(a, STR("a&b&c"), 3, &pairs, &k) == 0 && k == 3 &&
	    form_parse(a, STR("a&b&c&d"), 3, &pairs, &k) == -1,
	    "one pair too many is refused");
	CHECK(form_parse(a, STR(""), 3, &pairs, &k) == 0 && k == 0 &&
	    form_parse(a, STR_NONE, 3, &pairs, &k) == 0 && k == 0,
	    "nothing holds no pairs");
	CHECK(form_parse(tiny, STR("a=1"), 3, &pairs, &k) == -1,
	    "the arena's limit");
	arena_free(a);
	arena_free(tiny);
}

static void
digests(void)
{
	/* FIPS 180-4's example: SHA-256 of "abc". */
	static const unsigned char abc[32] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41,
		0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3,
		0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00,
		0x15, 0xad };
	unsigned char one[32], two[32];
	struct sha256 *h;

	digest_sha256(STR("abc"), one);
	CHECK(memcmp(one, abc, 32) == 0, "SHA-256 of abc");
	h = sha256_new();
	sha256_add(h, STR("a"));
	sha256_add(h, STR_NONE);
	sha256_add(h, STR("bc"));
	sha256_end(h, two);
	CHECK(memcmp(two, abc, 32) == 0, "the same in pieces");
	digest_sha256(STR_NONE, one);
	h = sha256_new();
	sha256_end(h, two);
	CHECK(memcmp(one, two, 32) == 0 && one[0] == 0xe3,
	    "nothing has a digest too");
}

static void
keyed_digests(void)
{
	static const char longer[] = "Test Using Larger Than Block-Size Key - "
	    "Hash Key First";
	char key[131];
	const struct {
		const char	*says;
		struct str	 key, one, two;
		const char	*hex;
	} t[] = {
		{ "RFC 4231, case 1", { key, 20 }, STR("Hi "), STR("There"),
		    "b0344c61d8db38535ca8afceaf0bf12b"
		    "881dc200c9833da726e9376c2e32cff7" },
		{ "case 2", STR("Jefe"), STR("what do ya want for nothing?"),
		    STR_NONE, "5bdcc146bf60754e6a042426089575c7"
		    "5a003f089d2739839dec58b964ec3843" },
		{ "case 6", { key, 131 }, str_of(longer), STR(""),
		    "60e431591ee0b67f0d8a26aacbf5b77f"
		    "8e0bc6213728c5140546040f0ee37f54" },
		{ "a key of no bytes, and nothing", STR_NONE, STR_NONE, STR_NONE,
		    "b613679a0814d9ec772f95d778c35fc5"
		    "ff1697c493715653c6c712144292c5ad" },
	};
	struct arena *a = arena_new(4096);
	unsigned char out[32];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct hmac *h;

		memset(key, i == 0 ? 0x0b : 0xaa, sizeof(key));
		h = hmac_new(t[i].key);
		hmac_add(h, t[i].one);
		hmac_add(h, t[i].two);
		hmac_end(h, out);
		CHECKF(str_eq(hex_encode(a, (struct str){ (char *)out, 32 }, false),
		    str_of(t[i].hex)), "HMAC-SHA256: %s", t[i].says);
	}
	arena_free(a);
}

static void
errors(void)
{
	struct err e = { ERR_NONE, "" };
	char text[1200];

	CHECK(err_set(&e, ERR_CONF, "%s:%d: x", "f", 3) == -1 && e.code ==
	    ERR_CONF && strcmp(e.text, "f:3: x") == 0, "a sentence");
	CHECK(err_at(&e, "hook \"%s\"", "/a") == -1 && e.code == ERR_CONF &&
	    strcmp(e.text, "hook \"/a\": f:3: x") == 0, "and where");
	err_set(&e, ERR_OS, "again: %s", e.text);
	CHECK(strcmp(e.text, "again: hook \"/a\": f:3: x") == 0,
	    "a sentence made of itself");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_OS, "%s", text);
	CHECK(strlen(e.text) == sizeof(e.text) - 1, "a long one is cut");
	err_at(&e, "here");
	CHECK(strlen(e.text) == sizeof(e.text) - 1 && strncmp(e.text,
	    "here: xxx", 9) == 0, "and keeps where");
	err_at(&e, "%s", text);
	CHECK(strlen(e.text) == sizeof(e.text) - 1, "a long where");
	CHECK(err_set(NULL, ERR_OS, "x") == -1 && err_at(NULL, "x") == -1,
	    "nobody may be listening");
}

static const struct {
	const char	*says, *text;
	enum when_unit	 unit;
	bool		 good;
	int64_t		 ms;
} times[] = {
	{ "the first second", "0", WHEN_S, true, 0 },
	{ "seconds", "1700000000", WHEN_S, true, 1700000000000 },
	{ "the last second", "9223372036854775", WHEN_S, true,
	    9223372036854775000 },
	{ "a second that overflows", "9223372036854776", WHEN_S, false, 0 },
	{ "no seconds", "", WHEN_S, false, 0 },
	{ "a negative second", "-1", WHEN_S, false, 0 },
	{ "a fraction of a second", "1.5", WHEN_S, false, 0 },
	{ "a space before", " 1", WHEN_S, false, 0 },
	{ "milliseconds", "1700000000123", WHEN_MS, true, 1700000000123 },
	{ "the last millisecond", "9223372036854775807", WHEN_MS, true,
	    INT64_MAX },
	{ "a millisecond that overflows", "9223372036854775808", WHEN_MS,
	    false, 0 },

	{ "a date", "2023-11-14T22:13:20Z", WHEN_ISO8601, true, 1700000000000 },
	{ "lower case", "2023-11-14t22:13:20z", WHEN_ISO8601, true,
	    1700000000000 },
	{ "a space for T", "2023-11-14 22:13:20Z", WHEN_ISO8601, true,
	    1700000000000 },
	{ "no zone", "2023-11-14T22:13:20", WHEN_ISO8601, true, 1700000000000 },
	{ "a zone to the east", "2023-11-15T00:43:20+02:30", WHEN_ISO8601, true,
	    1700000000000 },
	{ "a zone to the west", "2023-11-14T14:13:20-08:00", WHEN_ISO8601, true,
	    1700000000000 },
	{ "a zone without a colon", "2023-11-14T22:13:20+0000", WHEN_ISO8601,
	    true, 1700000000000 },
	{ "one digit", "2023-11-14T22:13:20.5Z", WHEN_ISO8601, true,
	    1700000000500 },
	{ "three digits", "2023-11-14T22:13:20.007Z", WHEN_ISO8601, true,
	    1700000000007 },
	{ "nine digits", "2023-11-14T22:13:20.123999999Z", WHEN_ISO8601, true,
	    1700000000123 },
	{ "a leap day", "2024-02-29T00:00:00Z", WHEN_ISO8601, true,
	    1709164800000 },
	{ "a leap second", "2016-12-31T23:59:60Z", WHEN_ISO8601, true,
	    1483228800000 },
	{ "before 1970", "1969-12-31T23:59:59Z", WHEN_ISO8601, true, -1000 },
	{ "ten digits", "2023-11-14T22:13:20.1234567890Z", WHEN_ISO8601, false,
	    0 },
	{ "a point without digits", "2023-11-14T22:13:20.Z", WHEN_ISO8601,
	    false, 0 },
	{ "a comma", "2023-11-14T22:13:20,5Z", WHEN_ISO8601, false, 0 },
	{ "29 February of another year", "2023-02-29T00:00:00Z", WHEN_ISO8601,
	    false, 0 },
	{ "29 February 1900", "1900-02-29T00:00:00Z", WHEN_ISO8601, false, 0 },
	{ "29 February 2000", "2000-02-29T00:00:00Z", WHEN_ISO8601, true,
	    951782400000 },
	{ "31 April", "2023-04-31T00:00:00Z", WHEN_ISO8601, false, 0 },
	{ "month 13", "2023-13-01T00:00:00Z", WHEN_ISO8601, false, 0 },
	{ "month 0", "2023-00-01T00:00:00Z", WHEN_ISO8601, false, 0 },
	{ "day 0", "2023-01-00T00:00:00Z", WHEN_ISO8601, false, 0 },
	{ "year 0", "0000-01-01T00:00:00Z", WHEN_ISO8601, false, 0 },
	{ "hour 24", "2023-11-14T24:00:00Z", WHEN_ISO8601, false, 0 },
	{ "minute 60", "2023-11-14T22:60:20Z", WHEN_ISO8601, false, 0 },
	{ "second 61", "2023-11-14T22:13:61Z", WHEN_ISO8601, false, 0 },
	{ "a zone of 24 hours", "2023-11-14T22:13:20+24:00", WHEN_ISO8601,
	    false, 0 },
	{ "a zone of 60 minutes", "2023-11-14T22:13:20+01:60", WHEN_ISO8601,
	    false, 0 },
	{ "a zone of hours alone", "2023-11-14T22:13:20+01", WHEN_ISO8601,
	    false, 0 },
	{ "two zones", "2023-11-14T22:13:20ZZ", WHEN_ISO8601, false, 0 },
	{ "a space behind", "2023-11-14T22:13:20Z ", WHEN_ISO8601, false, 0 },
	{ "a date alone", "2023-11-14", WHEN_ISO8601, false, 0 },
	{ "no seconds in a time", "2023-11-14T22:13Z", WHEN_ISO8601, false, 0 },
	{ "short digits", "2023-1-4T2:3:0Z", WHEN_ISO8601, false, 0 },
	{ "a sign in a digit's place", "2023-+1-14T22:13:20Z", WHEN_ISO8601,
	    false, 0 },
	{ "no date", "", WHEN_ISO8601, false, 0 },

	{ "RFC 9110's own", "Sun, 06 Nov 1994 08:49:37 GMT", WHEN_HTTP, true,
	    784111777000 },
	{ "another weekday", "Mon, 06 Nov 1994 08:49:37 GMT", WHEN_HTTP, false,
	    0 },
	{ "no weekday", "06 Nov 1994 08:49:37 GMT", WHEN_HTTP, false, 0 },
	{ "RFC 850's form", "Sunday, 06-Nov-94 08:49:37 GMT", WHEN_HTTP, false,
	    0 },
	{ "asctime's form", "Sun Nov  6 08:49:37 1994", WHEN_HTTP, false, 0 },
	{ "another zone", "Sun, 06 Nov 1994 08:49:37 UTC", WHEN_HTTP, false,
	    0 },
	{ "a month in lower case", "Sun, 06 nov 1994 08:49:37 GMT", WHEN_HTTP,
	    false, 0 },
	{ "a month that is none", "Sun, 06 anF 1994 08:49:37 GMT", WHEN_HTTP,
	    false, 0 },
	{ "a day of one digit", "Sun, 6 Nov 1994 08:49:37 GMT", WHEN_HTTP,
	    false, 0 },
	{ "no HTTP date", "", WHEN_HTTP, false, 0 },
};

static void
moments(void)
{
	struct arena *a = arena_new(100000);
	int64_t ms, back, step;
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct str t = str_of(times[i].text);
		bool r;

		t.p = test_flush(t.p, t.n);
		ms = 4711;
		r = when_parse(t, times[i].unit, &ms);
		CHECKF(r == times[i].good && ms == (r ? times[i].ms : 4711),
		    "%s: %lld", times[i].says, (long long)ms);
		for (; t.n > 0; t.n--) {
			t.p = test_flush(times[i].text, t.n);
			(void)when_parse(t, times[i].unit, &ms);
		}
	}
	CHECK(str_eq(when_write(a, 1700000000123, WHEN_S), STR("1700000000")) &&
	    str_eq(when_write(a, 1700000000123, WHEN_MS),
	    STR("1700000000123")) &&
	    str_eq(when_write(a, 1700000000123, WHEN_ISO8601),
	    STR("2023-11-14T22:13:20.123Z")) &&
	    str_eq(when_write(a, 784111777000, WHEN_HTTP),
	    STR("Sun, 06 Nov 1994 08:49:37 GMT")), "written in each unit");
	CHECK(str_eq(when_write(a, -1, WHEN_ISO8601),
	    STR("1969-12-31T23:59:59.999Z")), "written before 1970");
	CHECK(when_write(a, INT64_MAX, WHEN_ISO8601).p == NULL &&
	    when_write(a, INT64_MIN, WHEN_ISO8601).p == NULL &&
	    when_write(a, INT64_MAX, WHEN_HTTP).p == NULL &&
	    when_write(a, 253402300800000, WHEN_ISO8601).p == NULL,
	    "a year of five digits is not written");
	CHECK(str_eq(when_write(a, 253402300799999, WHEN_ISO8601),
	    STR("9999-12-31T23:59:59.999Z")), "the last that is");
	CHECK(when_write(a, INT64_MIN, WHEN_MS).n == 20, "the longest number");
	/* About every 11 days and some hours from 1600 to 2500. */
	step = INT64_C(977777777);
	for (ms = INT64_C(-11676096000000); ms < INT64_C(16725225600000);
	    ms += step) {
		struct str s = when_write(a, ms, WHEN_ISO8601);

		if (!when_parse(s, WHEN_ISO8601, &back) || back != ms)
			CHECKF(0, "%lld there and back", (long long)ms);
		s = when_write(a, ms, WHEN_HTTP);
		if (!when_parse(s, WHEN_HTTP, &back) || back / 1000 !=
		    (ms - (ms % 1000 + 1000) % 1000) / 1000)
			CHECKF(0, "%lld there and back as HTTP", (long long)ms);
		arena_reset(a);
	}
	CHECK(when_now() > 1700000000000, "it is later than 2023");
	ms = when_steady();
	CHECK(when_steady() >= ms, "time does not go back");
	arena_free(a);
}

/* What a reader of the pipe finds now, as a string. */
static const char *
drain(int fd)
{
	static char text[70000];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void
logs(void)
{
	static const struct json_limits flat = { 1, 100 };
	char longtext[5000], path[64];
	struct err e;
	struct log log;
	struct line l;
	struct str s, raw;
	const char *text;
	int fds[2], pair[2], saved, i, n;

	CHECK(log_open(&log, "nowhere", "p", &e) == -1 && log.fd == 2,
	    "an unknown place is refused, and stderr remains");
	CHECK(log_open(&log, "file:/nonexistent/x", "p", &e) == -1 && log.fd ==
	    2 && e.code == ERR_IO, "a file that cannot be opened");

	CHECK(log_open(&log, "file:", "p", &e) == -1, "a file without a name");
	snprintf(path, sizeof(path), "file:%s", in_dir("log"));
	CHECK(log_open(&log, path, "hooklatch.fcgi", &e) == 0, "a file");
	line_begin(&l, &log, LOG_WARN_, "request");
	line_str(&l, "hook", STR("/a\"\n\x1b[31m\xff"));
	line_str(&l, "absent", STR_NONE);
	line_str(&l, "empty", STR(""));
	line_num(&l, "status", -200);
	line_flag(&l, "repeat", true);
	line_end(&l);
	log_say(&log, LOG_ERROR_, "no %s", "luck");
	i = open(in_dir("log"), O_RDONLY);
	text = drain(i);
	close(i);
	s = str_of(text);
	s = str_cut(&s, '\n');
	CHECK(json_scan(s, flat, NULL) == JSON_OK, "a line is JSON");
	CHECK(json_find(s, STR("severity"), &raw) == JSON_STRING &&
	    str_eq(raw, STR("WARNING")), "with a severity");
	CHECK(json_find(s, STR("time"), &raw) == JSON_STRING && raw.n == 24,
	    "and a time");
	CHECK(json_find(s, STR("event"), &raw) == JSON_STRING &&
	    str_eq(raw, STR("request")), "and what happened");
	CHECK(json_find(s, STR("hook"), &raw) == JSON_STRING && str_eq(raw,
	    STR("/a\\\"\\n\\u001b[31m\xef\xbf\xbd")),
	    "hostile bytes are escaped");
	CHECK(json_find(s, STR("absent"), &raw) == JSON_NONE &&
	    json_find(s, STR("empty"), &raw) == JSON_STRING,
	    "what is absent is left out, what is empty is not");
	CHECK(json_find(s, STR("status"), &raw) == JSON_NUMBER &&
	    str_eq(raw, STR("-200")) && json_find(s, STR("repeat"), &raw) ==
	    JSON_BOOL, "a number and a flag");
	CHECK(strstr(text, "\"severity\":\"ERROR\"") != NULL &&
	    strstr(text, "\"message\":\"no luck\"}\n") != NULL, "a sentence");
	close(log.fd);

	log.text = true;
	if (pipe(fds) == -1)
		abort();
	log.fd = fds[1];
	log.how = LOG_UNSEEN;
	line_begin(&l, &log, LOG_INFO_, "request");
	line_str(&l, "hook", STR("/a"));
	line_str(&l, "why", STR("two words\n"));
	line_end(&l);
	text = drain(fds[0]);
	CHECKF(strstr(text, "Z INFO hooklatch.fcgi request hook=/a "
	    "why=\"two words\\n\"\n") != NULL, "readable text: %s", text);
	log.text = false;

	/* A line never grows past its limit, and says that it was cut. */
	memset(longtext, 'x', sizeof(longtext));
	line_begin(&l, &log, LOG_INFO_, "request");
	line_str(&l, "first", STR("1"));
	line_str(&l, "long", (struct str){ longtext, sizeof(longtext) });
	line_str(&l, "last", STR("2"));
	line_end(&l);
	s = str_of(drain(fds[0]));
	CHECK(s.n < LOG_LINE_MAX && json_scan(str_head(s, s.n - 1), flat, NULL)
	    == JSON_OK && json_find(s, STR("long"), &raw) == JSON_NONE &&
	    json_find(s, STR("last"), &raw) == JSON_STRING &&
	    json_find(s, STR("cut"), &raw) == JSON_BOOL,
	    "what does not fit is left out, and the line says so");
	log.dropped = UINT64_MAX;
	line_begin(&l, &log, LOG_INFO_, "request");
	for (i = 0; i < 4000; i++)
		line_num(&l, "n", i);
	line_end(&l);
	s = str_of(drain(fds[0]));
	CHECK(s.n <= LOG_LINE_MAX && s.p[s.n - 1] == '\n' &&
	    json_scan(str_head(s, s.n - 1), (struct json_limits){ 1, 9999 },
	    NULL) == JSON_OK, "a full line is whole");

	/* A pipe that nobody reads. */
	for (n = 0; n < 100000 && log.dropped == 0; n++)
		log_say(&log, LOG_INFO_, "fill");
	CHECK(log.dropped == 1, "a full pipe is not waited for");
	log_say(&log, LOG_INFO_, "lost too");
	CHECK(log.dropped == 2, "what is lost is counted");
	drain(fds[0]);
	while (fcntl(fds[0], F_SETFL, O_NONBLOCK), *drain(fds[0]) != '\0')
		;
	log_say(&log, LOG_INFO_, "back");
	text = drain(fds[0]);
	CHECKF(log.dropped == 0 && strstr(text, "\"dropped\":2") != NULL,
	    "and told by the next line: %s", text);
	close(fds[0]);
	log_say(&log, LOG_INFO_, "nobody");
	CHECK(log.dropped == 1, "a pipe without a reader");
	close(fds[1]);

	/* stderr as a pipe shared with others: ours alone is non-blocking. */
	saved = dup(2);
	if (pipe(fds) == -1)
		abort();
	dup2(fds[1], 2);
	log_open(&log, "stderr", "p", &e);
	CHECK(log.fd != 2 && (fcntl(log.fd, F_GETFL) & O_NONBLOCK) != 0 &&
	    (fcntl(2, F_GETFL) & O_NONBLOCK) == 0,
	    "a shared pipe is made non-blocking for us alone");
	log_say(&log, LOG_INFO_, "through");
	CHECK(strstr(drain(fds[0]), "through") != NULL, "and leads there");
	close(log.fd);
	close(fds[0]);
	close(fds[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		abort();
	dup2(pair[1], 2);
	log_open(&log, "stderr", "p", &e);
	for (n = 0; n < 100000 && log.dropped == 0; n++)
		log_say(&log, LOG_INFO_, "fill");
	CHECK(log.dropped == 1, "a full socket is not waited for");
	close(pair[0]);
	close(pair[1]);
	dup2(saved, 2);
	close(saved);
	log.fd = -1;
	log_say(&log, LOG_INFO_, "nowhere");
	CHECK(log.dropped == 2, "nowhere takes nothing");
}

/* A child's exit status, run in a process of its own. */
static int
child(int (*what)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0)
		_exit(what());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int
closes_fds(void)
{
	struct err e;
	struct stat st;

	close(0);
	close(2);
	if (os_standard_fds(&e) == -1)
		return 1;
	return fstat(0, &st) == 0 && S_ISCHR(st.st_mode) && fstat(2, &st) == 0
	    && S_ISCHR(st.st_mode) ? 0 : 2;
}

static int
guards(void)
{
	struct rlimit core;
	struct err e;

	if (os_guard_memory(&e) == -1)
		return 1;
	getrlimit(RLIMIT_CORE, &core);
	return core.rlim_max == 0 && prctl(PR_GET_DUMPABLE) == 0 ? 0 : 2;
}

static int
becomes_nobody(void)
{
	struct err e;
	gid_t groups[8];
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0)
		return 0;
	if (os_user("nobody", &uid, &gid, &e) == -1)
		return 1;
	if (os_become("root", (gid_t)-1, &e) != -1)
		return 2;
	if (os_become("nobody", 4, &e) == -1)
		return 3;
	if (getuid() != uid || geteuid() != uid || getgid() != gid ||
	    getegid() != gid)
		return 4;
	if (getgroups(8, groups) != 2 || groups[0] == 0 || groups[1] == 0)
		return 5;
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
		return 6;
	/* Not root any more: nothing to do. */
	return os_become("nobody", (gid_t)-1, &e) == 0 ? 0 : 7;
}

static void
systems(void)
{
	struct stat st;
	struct err e;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	uint64_t size;
	size_t n;
	char *p, dice[64], bare[128];
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, other, conn, i;

	CHECK(child(closes_fds) == 0, "fds 0 to 2 exist");
	CHECK(child(guards) == 0, "no core, no ptrace");
	CHECKF((i = child(becomes_nobody)) == 0,
	    "root is given up for good (%d)", i);
	CHECK(os_user("no-such-user", &uid, &gid, &e) == -1 && e.code ==
	    ERR_NOUSER && strstr(e.text, "useradd --system --no-create-home "
	    "--shell /usr/sbin/nologin no-such-user") != NULL,
	    "a missing user, and how to make it");
	CHECK(os_group("no-such-group", &gid, &e) == -1 && strstr(e.text,
	    "groupadd --system no-such-group") != NULL,
	    "a missing group, and how to make it");
	CHECK(os_user("root", &uid, &gid, &e) == 0 && uid == 0 &&
	    os_group("root", &gid, &e) == 0 && gid == 0, "those that exist");

	/* sockets */
	fd = os_listen_unix(in_dir("s"), 0620, (gid_t)-1, 5, &e);
	CHECKF(fd != -1, "a socket is made: %s", e.text);
	CHECK(stat(in_dir("s"), &st) == 0 && S_ISSOCK(st.st_mode) &&
	    (st.st_mode & 0777) == 0620, "with its mode");
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) && (fcntl(fd, F_GETFL) &
	    O_NONBLOCK), "close-on-exec and non-blocking");
	CHECK(os_listen_unix(in_dir("s"), 0600, (gid_t)-1, 5, &e) == -1 &&
	    e.code == ERR_AWAY, "a living one is not taken over");
	conn = os_connect_unix(in_dir("s"), &e);
	CHECK(conn != -1 && (fcntl(conn, F_GETFL) & O_NONBLOCK), "connected");
	while ((other = accept(fd, NULL, NULL)) != -1) {
		CHECK(os_peer(other, &uid, &gid, &pid, &e) == 0 && uid ==
		    geteuid() && gid == getegid() && pid == getpid(),
		    "the peer is known");
		close(other);
	}
	close(conn);
	close(fd);
	CHECK(os_connect_unix(in_dir("s"), &e) == -1 && e.code == ERR_AWAY,
	    "nobody listens any more");
	fd = os_listen_unix(in_dir("s"), 0600, getgid(), 5, &e);
	CHECK(fd != -1, "a stale one is replaced");
	close(fd);
	other = open(in_dir("file"), O_WRONLY | O_CREAT, 0600);
	close(other);
	CHECK(os_listen_unix(in_dir("file"), 0600, (gid_t)-1, 5, &e) == -1 &&
	    e.code == ERR_CONF && access(in_dir("file"), F_OK) == 0,
	    "a file is not removed");
	CHECK(os_listen_unix(in_dir("no/s"), 0600, (gid_t)-1, 5, &e) == -1,
	    "no such directory");
	CHECK(os_listen_unix("", 0600, (gid_t)-1, 5, &e) == -1, "no path");
	memset(bare, 'x', sizeof(bare));
	bare[sizeof(bare) - 1] = '\0';
	CHECK(os_connect_unix(bare, &e) == -1 && e.code == ERR_CONF,
	    "a path too long for a socket");
	fd = os_listen_unix(in_dir("full"), 0600, (gid_t)-1, 0, &e);
	for (i = 0; i < 8; i++)
		if ((conn = os_connect_unix(in_dir("full"), &e)) == -1)
			break;
	CHECK(conn == -1 && e.code == ERR_AWAY, "a full backlog is no wait");
	close(fd);

	/* memfds */
	fd = os_memfd("body", STR("hello"), &e);
	CHECK(fd != -1 && os_memfd_sealed(fd, &size, &e) == 0 && size == 5,
	    "a memfd is sealed");
	CHECK(pwrite(fd, "x", 1, 0) == -1 && ftruncate(fd, 0) == -1,
	    "and cannot be changed");
	close(fd);
	fd = memfd_create("x", MFD_ALLOW_SEALING);
	CHECK(os_memfd_sealed(fd, &size, &e) == -1, "one that is not sealed");
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW);
	CHECK(os_memfd_sealed(fd, &size, &e) == -1,
	    "one that could still shrink");
	close(fd);
	fd = open(in_dir("file"), O_RDONLY);
	CHECK(os_memfd_sealed(fd, &size, &e) == -1 && e.code == ERR_PROTOCOL,
	    "a file is no memfd");
	close(fd);

	/* files */
	p = os_read_file(in_dir("file"), 10, &n, &e);
	CHECK(p != NULL && n == 0 && p[0] == '\0', "an empty file");
	free(p);
	fd = open(in_dir("file"), O_WRONLY);
	for (i = 0; i < 1000; i++)
		if (write(fd, "0123456789", 10) != 10)
			abort();
	close(fd);
	p = os_read_file(in_dir("file"), 10000, &n, &e);
	CHECK(p != NULL && n == 10000 && p[9999] == '9' && p[n] == '\0',
	    "a file as long as allowed");
	free(p);
	CHECK(os_read_file(in_dir("file"), 9999, &n, &e) == NULL && e.code ==
	    ERR_DATA, "one byte too long");
	CHECK(os_read_file(in_dir("none"), 9999, &n, &e) == NULL && e.code ==
	    ERR_NOINPUT && strstr(e.text, "/none") != NULL,
	    "a file that is not there is named");
	CHECK(os_read_file(dir, 9999, &n, &e) == NULL, "a directory");
	p = os_read_file("/proc/self/status", 100000, &n, &e);
	CHECK(p != NULL && n > 100, "a file without a size");
	free(p);

	CHECK(os_is_tmpfs("/dev/shm/none/such") || !os_is_tmpfs("/dev/shm"),
	    "a tmpfs is known by its first directory that exists");
	CHECK(!os_is_tmpfs("/proc/self") && !os_is_tmpfs("/proc/none/x"),
	    "another is none");
	memset(dice, 0, sizeof(dice));
	CHECK(os_random(dice, sizeof(dice)) == 0 && memcmp(dice, dice + 32, 32)
	    != 0, "dice fall differently");

	/* systemd's socket */
	unsetenv("NOTIFY_SOCKET");
	os_notify("READY=1");
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", in_dir("notify"));
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		abort();
	setenv("NOTIFY_SOCKET", sun.sun_path, 1);
	os_notify("READY=1");
	n = (size_t)recv(fd, bare, sizeof(bare), MSG_DONTWAIT);
	CHECK(n == 7 && memcmp(bare, "READY=1", 7) == 0, "systemd is told");
	setenv("NOTIFY_SOCKET", "relative", 1);
	os_notify("READY=1");
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

/* Secrets that the courier has to fetch. */
static void
lacking(void)
{
	static const struct { const char *written; bool is; } t[] = {
		{ "gcp:projects/p/secrets/s", true },
		{ "gcp:projects/p/secrets/s/versions/latest", true },
		{ "gcp:projects/example.com:p/secrets/S_1-a/versions/12", true },
		{ "gcp:projects/p/locations/europe-west1/secrets/s", true },
		{ "gcp:projects/p/locations/l/secrets/s/versions/v", true },
		{ "gcp:", false }, { "gcp:projects/p", false },
		{ "gcp:projects/p/secrets", false },
		{ "gcp:projects/p/secrets/", false },
		{ "gcp:projects//secrets/s", false },
		{ "gcp:projects/p/secrets/s/", false },
		{ "gcp:projects/p/secrets/s/versions", false },
		{ "gcp:projects/p/secrets/s/versions/", false },
		{ "gcp:projects/p/secrets/s/versions/1/x", false },
		{ "gcp:projects/p/secrets/..", false },
		{ "gcp:projects/p/secrets/s?x", false },
		{ "gcp:projects/p/secrets/s%2f", false },
		{ "gcp:projects/p/secrets/a b", false },
		{ "gcp:projects/p/locations/secrets/s", false },
		{ "projects/p/secrets/s", false }, { "env:A", false },
	};
	struct str a = STR("gcp:projects/p/secrets/a");
	struct str b = STR("gcp:projects/p/secrets/b");
	struct bundle *all = bundle_new(), *copy;
	struct buf out = BUF(100000);
	struct err e;
	size_t at = 0;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct str s = str_of(t[i].written);

		s.p = test_flush(s.p, s.n);
		CHECKF(bundle_is_fetched(s) == t[i].is, "%s is%s one", t[i].written,
		    t[i].is ? "" : " not");
	}
	CHECK(!bundle_is_fetched(STR_NONE), "nothing is none");
	CHECK(bundle_lacks(all, &at).p == NULL, "a bundle lacks nothing at first");
	CHECK(bundle_read_secret(all, a, &e) == 0 && bundle_read_secret(all, b, &e) ==
	    0 && bundle_read_secret(all, a, &e) == 0, "two that are to be fetched");
	CHECK(bundle_secret(all, a).p == NULL, "it is not there");
	bundle_write(all, &out);
	copy = bundle_read(buf_str(&out), &e);
	at = 0;
	CHECK(copy != NULL && str_eq(bundle_lacks(copy, &at), a) &&
	    str_eq(bundle_lacks(copy, &at), b) && bundle_lacks(copy, &at).p == NULL,
	    "each is lacking once, also across a pipe");
	bundle_free(copy);
	buf_free(&out);
	at = 0;
	CHECK(bundle_put_secret(all, a, STR("x\n")) == 0 &&
	    str_eq(bundle_secret(all, a), STR("x\n")) &&
	    str_eq(bundle_lacks(all, &at), b) && bundle_lacks(all, &at).p == NULL,
	    "what came is lacking no more");
	bundle_free(all);
}

static void
bundles(void)
{
	struct bundle *b = bundle_new(), *c;
	struct buf out = BUF(100000);
	struct err e = { ERR_NONE, "" };
	char written[200];
	size_t i;
	int fd;

	CHECK(bundle_put(b, STR("conf"), STR("{}")) == 0 &&
	    bundle_put(b, STR("empty"), STR("")) == 0 &&
	    bundle_put(b, STR("conf"), STR("{ }")) == 0 && bundle_count(b) == 2,
	    "the last of a name is kept");
	CHECK(str_eq(bundle_get(b, STR("conf")), STR("{ }")) &&
	    bundle_get(b, STR("empty")).p != NULL &&
	    bundle_get(b, STR("con")).p == NULL, "found by its name");
	CHECK(str_eq(bundle_name(b, 0), STR("conf")) && bundle_name(b, 2).p ==
	    NULL, "names in order");

	setenv("TEST_SECRET", "s3cret", 1);
	setenv("TEST_EMPTY", "", 1);
	unsetenv("TEST_NONE");
	CHECK(bundle_read_secret(b, STR("env:TEST_SECRET"), &e) == 0 &&
	    str_eq(bundle_secret(b, STR("env:TEST_SECRET")), STR("s3cret")) &&
	    str_eq(bundle_get(b, STR("secret:env:TEST_SECRET")),
	    STR("s3cret")), "a secret of the environment");
	CHECK(bundle_read_secret(b, STR("env:TEST_EMPTY"), &e) == -1 &&
	    bundle_read_secret(b, STR("env:TEST_NONE"), &e) == -1 &&
	    bundle_read_secret(b, STR("env:"), &e) == -1 &&
	    bundle_read_secret(b, STR("env:A\0B"), &e) == -1,
	    "no secret, no start");
	CHECK(bundle_read_secret(b, STR("plain:x"), &e) == 0 &&
	    str_eq(bundle_secret(b, STR("plain:x")), STR("x")) &&
	    bundle_read_secret(b, STR("plain:"), &e) == -1, "a plain one");
	CHECK(bundle_read_secret(b, STR("hunter2"), &e) == -1 &&
	    strstr(e.text, "hunter2") == NULL &&
	    bundle_secret(b, STR("hunter2")).p == NULL,
	    "a misplaced secret is refused and not shown");
	for (i = 0; i < 5; i++) {
		static const char *const text[] = { "key\n", "key", "key\r\n",
			"key\n\n", "\n" };
		static const char *const want[] = { "key", "key", "key",
			"key\n", NULL };
		int r;

		fd = open(in_dir("secret"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (write(fd, text[i], strlen(text[i])) < 0)
			abort();
		close(fd);
		snprintf(written, sizeof(written), "file:%s", in_dir("secret"));
		r = bundle_read_secret(b, str_of(written), &e);
		if (want[i] == NULL)
			CHECK(r == -1, "an empty file is no secret");
		else
			CHECKF(r == 0 && str_eq(bundle_secret(b,
			    str_of(written)), str_of(want[i])),
			    "one newline is dropped: %zu", i);
	}
	CHECK(bundle_read_secret(b, STR("file:/nonexistent"), &e) == -1 &&
	    strstr(e.text, "/nonexistent") != NULL, "no file");
	CHECK(bundle_secret(b, STR("env:OTHER")).p == NULL,
	    "what was not read is absent");

	bundle_write(b, &out);
	CHECK(buf_ok(&out), "written");
	c = bundle_read(buf_str(&out), &e);
	CHECK(c != NULL && bundle_count(c) == bundle_count(b), "and back");
	for (i = 0; c != NULL && i < bundle_count(b); i++)
		CHECK(str_eq(bundle_name(b, i), bundle_name(c, i)) &&
		    str_eq(bundle_get(b, bundle_name(b, i)),
		    bundle_get(c, bundle_name(b, i))), "each blob is the same");
	bundle_free(c);
	for (i = 0; i < out.n; i++) {
		c = bundle_read((struct str){ test_flush(out.p, i), i }, &e);
		CHECKF(c == NULL, "cut to %zu bytes it is none", i);
		bundle_free(c);
	}
	buf_putc(&out, 'x');
	CHECK(bundle_read(buf_str(&out), &e) == NULL, "nor with a byte more");
	CHECK(bundle_read(STR("\0\0\0\x02\0\0\0\1a\0\0\0\0\0\0\0\1a\0\0\0\0"),
	    &e) == NULL, "nor with a name twice");
	CHECK(bundle_read(STR("\xff\xff\xff\xff"), &e) == NULL,
	    "nor with four billion blobs");
	buf_free(&out);
	out = BUF(10);
	bundle_write(b, &out);
	CHECK(!buf_ok(&out), "a buffer too small for it is bad");
	buf_free(&out);
	bundle_free(b);
	bundle_free(NULL);
}

static void
events(void)
{
	static const unsigned char ones[10] = { 255, 255, 255, 255, 255, 255,
		255, 255, 255, 255 }, zeros[10] = { 0 };
	static const struct json_limits flat = { 4, 100 };
	char id[EVENT_ID_LEN + 1], later[EVENT_ID_LEN + 1];
	struct buf b = BUF(100000);
	struct stored s = { .flags = STORED_OTHER_BODY, .repeats = 3 };
	struct event e = {
		.received_at = 1700000000123, .hook = STR("/hooks/a\n"),
		.provider = STR("github"), .event_type = STR("push"),
		.method = STR("POST"), .target = STR("/hooks/a?b"),
		.remote = STR("192.0.2.1"), .scheme = STR("hmac-sha256"),
		.secret = STR("env:A"), .headers = STR("[[\"a\",\"b\"]]"),
		.body = STR("{}\n"), .size = 3, .body_fd = -1,
	};
	struct str raw;

	event_mint(id, 1700000000123, zeros);
	CHECKF(strcmp(id, "018bcfe5-687b-7000-8000-000000000000") == 0,
	    "a UUIDv7: %s", id);
	event_mint(later, 1700000000124, zeros);
	CHECK(strcmp(id, later) < 0, "later ids are larger");
	event_mint(id, INT64_C(0xffffffffffff), ones);
	CHECKF(strcmp(id, "ffffffff-ffff-7fff-bfff-ffffffffffff") == 0,
	    "of ones: %s", id);

	memcpy(e.id, later, sizeof(later));
	memcpy(s.id, id, sizeof(id));
	event_json(&b, &e, &s, 1700000001000, true);
	CHECK(buf_ok(&b) && json_scan(buf_str(&b), flat, NULL) == JSON_OK &&
	    str_find(buf_str(&b), '\n') < 0, "one line of JSON");
#define HAS(path, kind, want)						\
	CHECKF(json_find(buf_str(&b), STR(path), &raw) == (kind) &&	\
	    str_eq(raw, STR(want)), "%s is %.*s", path, STR_ARG(raw))
	HAS("id", JSON_STRING, "ffffffff-ffff-7fff-bfff-ffffffffffff");
	HAS("hook", JSON_STRING, "/hooks/a\\n");
	HAS("provider", JSON_STRING, "github");
	HAS("event_id", JSON_NULL, "null");
	HAS("event_type", JSON_STRING, "push");
	HAS("received_at", JSON_STRING, "2023-11-14T22:13:20.123Z");
	HAS("size", JSON_NUMBER, "3");
	HAS("repeats", JSON_NUMBER, "3");
	HAS("last_repeat_at", JSON_STRING, "2023-11-14T22:13:21.000Z");
	HAS("other_body", JSON_BOOL, "true");
	HAS("method", JSON_STRING, "POST");
	HAS("target", JSON_STRING, "/hooks/a?b");
	HAS("remote", JSON_STRING, "192.0.2.1");
	HAS("headers[0][1]", JSON_STRING, "b");
	HAS("scheme", JSON_STRING, "hmac-sha256");
	HAS("secret", JSON_STRING, "env:A");
	HAS("signed_at", JSON_NULL, "null");
	HAS("request_id", JSON_NULL, "null");
	HAS("body_base64", JSON_STRING, "e30K");
	CHECK(json_find(buf_str(&b), STR("other_id"), &raw) == JSON_NONE,
	    "a flag that is not set is left out");

	buf_reset(&b);
	e.headers = STR("[[\"a\",\n\"b\"]]");
	event_json(&b, &e, NULL, 0, false);
	CHECK(json_scan(buf_str(&b), flat, NULL) == JSON_OK &&
	    str_find(buf_str(&b), '\n') < 0,
	    "headers with a newline do not break the line");
	HAS("id", JSON_STRING, "018bcfe5-687c-7000-8000-000000000000");
	CHECK(json_find(buf_str(&b), STR("body_base64"), &raw) == JSON_NONE &&
	    json_find(buf_str(&b), STR("last_repeat_at"), &raw) == JSON_NONE,
	    "no body unless asked");
	buf_reset(&b);
	e.headers = STR("[}");
	e.body = STR_NONE;
	event_json(&b, &e, NULL, 0, true);
	CHECK(json_scan(buf_str(&b), flat, NULL) == JSON_OK,
	    "headers that are no JSON become a string");
	HAS("body_base64", JSON_NULL, "null");
	buf_free(&b);
}

#define ID	"0af7651916cd43dd8448eb211c80319c"
#define SPAN	"b7ad6b7169203331"
static void
traces(void)
{
	static const struct {
		const char *says, *header;
		bool cloud;
		const char *want;	/* as a traceparent, or NULL */
	} t[] = {
		{ "W3C's example", "00-" ID "-" SPAN "-01", false, "00-" ID "-" SPAN "-01" },
		{ "one that is not sampled", "00-" ID "-" SPAN "-00", false, "00-" ID "-" SPAN "-00" },
		{ "of a later version", "01-" ID "-" SPAN "-01-more", false, "00-" ID "-" SPAN "-01" },
		{ "more behind version 0", "00-" ID "-" SPAN "-01-more", false, NULL },
		{ "version ff", "ff-" ID "-" SPAN "-01", false, NULL },
		{ "capital letters", "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", false, NULL },
		{ "no trace", "00-00000000000000000000000000000000-" SPAN "-01", false, NULL },
		{ "no span", "00-" ID "-0000000000000000-01", false, NULL },
		{ "cut", "00-" ID "-" SPAN "-0", false, NULL },
		{ "cut earlier", "00-" ID "-b7ad", false, NULL },
		{ "flags that are none", "00-" ID "-" SPAN "-0g", false, NULL },
		{ "nothing", "", false, NULL },
		{ "Google's example", ID "/13235353014750950193;o=1", true, "00-" ID "-" SPAN "-01" },
		{ "Google's, not sampled", ID "/1", true, "00-" ID "-0000000000000001-00" },
		{ "Google's, a span of zero", ID "/0;o=1", true, NULL },
		{ "Google's, a span of hex", ID "/b7ad", true, NULL },
		{ "Google's, a span that is too large", ID "/18446744073709551616", true, NULL },
		{ "Google's, without a span", ID, true, NULL },
		{ "Google's, no hex", "x" ID "/1", true, NULL },
	};
	struct trace got;
	char text[TRACE_PARENT];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct str h = str_of(t[i].header);
		bool is = t[i].cloud ? trace_cloud(&got, h) : trace_parent(&got, h);

		if (is)
			trace_print(text, &got);
		CHECK(is == (t[i].want != NULL) &&
		    (!is || strcmp(text, t[i].want) == 0), t[i].says);
	}
	CHECK(!trace_parent(&got, STR_NONE) && !trace_cloud(&got, STR_NONE), "no header");
}

/* What Cloud Run's console looks for, and what it is elsewhere. */
static void
cloud_lines(void)
{
	const struct str parent = STR("00-" ID "-" SPAN "-01");
	const char *path = in_dir("cloud");
	struct log log;
	struct line l;
	struct err e;
	char name[160];
	char *p;
	size_t n;

	snprintf(name, sizeof(name), "file:%s", path);
	CHECK(log_open(&log, name, "p", &e) == 0, "a log");
	line_begin(&l, &log, LOG_INFO_, "request");
	line_trace(&l, parent);
	line_end(&l);
	log.cloud = true;
	line_begin(&l, &log, LOG_INFO_, "request");
	line_trace(&l, parent);
	line_end(&l);
	log.project = "acme";
	line_begin(&l, &log, LOG_INFO_, "request");
	line_json(&l, "httpRequest", STR("{\"status\":200}"));
	line_trace(&l, parent);
	line_end(&l);
	p = os_read_file(path, 4096, &n, &e);
	CHECK(p != NULL && strstr(p, "\"trace\":\"00-" ID "-" SPAN "-01\"}\n") ==
	    strstr(p, "\"trace\"") && strstr(p, "\"trace\"") != NULL, "a trace elsewhere");
	CHECK(p != NULL && strstr(strchr(p, '\n') + 1, "\"trace\":\"00-") != NULL,
	    "and on Cloud Run without a project");
	CHECK(p != NULL && strstr(p, ",\"httpRequest\":{\"status\":200},"
	    "\"logging.googleapis.com/trace\":\"projects/acme/traces/" ID "\","
	    "\"logging.googleapis.com/spanId\":\"" SPAN "\","
	    "\"logging.googleapis.com/trace_sampled\":true}\n") != NULL, "with one");
	free(p);
	close(log.fd);
}

int
main(void)
{
	char command[64];

	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(dir) == NULL)
		return 1;
	strings();
	arenas();
	buffers();
	json_strings();
	codecs();
	checksums();
	digests();
	keyed_digests();
	errors();
	moments();
	logs();
	traces();
	cloud_lines();
	systems();
	bundles();
	lacking();
	events();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		return 1;
	TEST_END("base");
}
