/* test_json.c - what is JSON, what is not, and what is found in it. */
#include <stdint.h>

#include "base/json.h"
#include "test.h"

#define S(lit)	{ lit, sizeof(lit) - 1 }

static const struct json_limits wide = { 512, 1000000 };

/* --- the scan ------------------------------------------------------------ */

static const struct {
	const char	*says;
	struct str	 text;
} good[] = {
	{ "an empty object", S("{}") },
	{ "an empty array", S("[]") },
	{ "a bare null", S("null") },
	{ "a bare true", S("true") },
	{ "a bare false", S("false") },
	{ "a bare number", S("0") },
	{ "a bare negative number", S("-0") },
	{ "a bare string", S("\"a\"") },
	{ "an empty string", S("\"\"") },
	{ "white space of all four kinds", S(" \t\r\n[ \t\r\n1 \t\r\n, 2\n] \t\r\n") },
	{ "white space inside an object", S("{ \"a\" : 1 , \"b\" : 2 }") },
	{ "an integer of many digits", S("[123456789012345678901234567890]") },
	{ "a fraction", S("[0.5,-0.5,10.25]") },
	{ "an exponent", S("[1e5,1E5,1e+5,1e-5,0e0,1.5e10]") },
	{ "an exponent that overflows a double", S("[1e9999,-1e9999]") },
	{ "an exponent with zeros in front", S("[1e005]") },
	{ "all short escapes", S("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"") },
	{ "\\u in both cases", S("\"\\u00e4\\u00E4\\uaBcD\"") },
	{ "\\u0000", S("[\"\\u0000\"]") },
	{ "a pair of surrogates", S("\"\\ud83d\\ude00\"") },
	{ "a lone high surrogate as escape", S("\"\\ud800\"") },
	{ "a lone low surrogate as escape", S("\"\\udc00\"") },
	{ "two high surrogates as escapes", S("\"\\ud800\\ud800\"") },
	{ "DEL in a string", S("\"\x7f\"") },
	{ "UTF-8 of two bytes", S("\"\xc2\x80\xdf\xbf\"") },
	{ "UTF-8 of three bytes", S("\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"") },
	{ "UTF-8 of four bytes", S("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"") },
	{ "U+2028 in a string", S("\"\xe2\x80\xa8\"") },
	{ "a slash that is not escaped", S("\"//\"") },
	{ "what looks like a comment in a string", S("\"/* */\"") },
	{ "two equal names", S("{\"a\":1,\"a\":2}") },
	{ "an empty name", S("{\"\":0}") },
	{ "nested values", S("{\"a\":[{\"b\":[null,true,false,\"\"]}]}") },
	{ "closing brackets behind each other", S("[[[[]],[[]]],{\"a\":{}}]") },
};

static const struct {
	const char	*says;
	struct str	 text;
	size_t		 at;
} bad[] = {
	/* nothing, or something behind it */
	{ "nothing", S(""), 0 },
	{ "only white space", S(" \n"), 2 },
	{ "two values", S("1 2"), 2 },
	{ "a bracket too many", S("[]]"), 2 },
	{ "a brace too many", S("{}}"), 2 },
	{ "a comma behind the value", S("[],"), 2 },
	{ "a NUL behind the value", S("[]\0"), 2 },
	{ "a byte order mark", S("\xef\xbb\xbf{}"), 0 },
	{ "UTF-16", S("[\0]\0"), 1 },
	{ "a form feed as white space", S("[\f]"), 1 },
	{ "a vertical tab as white space", S("[\v]"), 1 },
	{ "a no-break space as white space", S("[\xc2\xa0]"), 1 },
	{ "U+2060 as white space", S("[\xe2\x81\xa0]"), 1 },

	/* what ends too early */
	{ "an open bracket", S("["), 1 },
	{ "an open brace", S("{"), 1 },
	{ "an array without its end", S("[1"), 2 },
	{ "an array that ends behind a comma", S("[1,"), 3 },
	{ "an object that ends behind a name", S("{\"a\""), 4 },
	{ "an object that ends behind a colon", S("{\"a\":"), 5 },
	{ "an object that ends behind a value", S("{\"a\":1"), 6 },
	{ "an object that ends behind a comma", S("{\"a\":1,"), 7 },
	{ "a string without its end", S("\"a"), 2 },
	{ "a lone quote", S("\""), 1 },
	{ "a string that ends in an escape", S("\"\\"), 2 },
	{ "a string that ends in \\u", S("\"\\u00"), 5 },
	{ "a quote that is escaped is no end", S("\"\\\""), 3 },

	/* brackets */
	{ "an array closed by a brace", S("[1}"), 2 },
	{ "an object closed by a bracket", S("{\"a\":1]"), 6 },
	{ "crossed brackets", S("[{]}"), 2 },
	{ "a closing bracket alone", S("]"), 0 },
	{ "an array in parentheses", S("(1)"), 0 },

	/* commas and colons */
	{ "a comma behind the last element", S("[1,]"), 3 },
	{ "a comma before the first element", S("[,1]"), 1 },
	{ "a comma alone", S("[,]"), 1 },
	{ "two commas", S("[1,,2]"), 3 },
	{ "no comma between elements", S("[1 2]"), 3 },
	{ "no comma between strings", S("[\"a\" \"b\"]"), 5 },
	{ "a semicolon", S("[1;2]"), 2 },
	{ "a colon in an array", S("[\"a\":1]"), 4 },
	{ "a comma behind the last member", S("{\"a\":1,}"), 7 },
	{ "a comma before the first member", S("{,\"a\":1}"), 1 },
	{ "two commas between members", S("{\"a\":1,,\"b\":2}"), 7 },
	{ "no comma between members", S("{\"a\":1 \"b\":2}"), 7 },
	{ "a comma for a colon", S("{\"a\",1}"), 4 },
	{ "an equals sign for a colon", S("{\"a\"=1}"), 4 },
	{ "two colons", S("{\"a\"::1}"), 5 },
	{ "a name without a value", S("{\"a\"}"), 4 },
	{ "a colon without a value", S("{\"a\":}"), 5 },

	/* names */
	{ "a name without quotes", S("{a:1}"), 1 },
	{ "a name in single quotes", S("{'a':0}"), 1 },
	{ "a number as name", S("{1:1}"), 1 },
	{ "null as name", S("{null:1}"), 1 },
	{ "an object as name", S("{{}:1}"), 1 },
	{ "a value without a name", S("{:1}"), 1 },
	{ "a bad escape in a name", S("{\"\\x\":1}"), 3 },

	/* numbers */
	{ "a plus sign", S("+1"), 0 },
	{ "a minus sign alone", S("-"), 1 },
	{ "two minus signs", S("--1"), 1 },
	{ "a minus sign and a letter", S("[-a]"), 2 },
	{ "a zero in front", S("01"), 1 },
	{ "a negative number with a zero in front", S("-01"), 2 },
	{ "-012", S("[-012]"), 3 },
	{ "two zeros", S("00"), 1 },
	{ "no digit before the point", S(".5"), 0 },
	{ "-.123", S("[-.123]"), 2 },
	{ "no digit behind the point", S("[1.]"), 3 },
	{ "-2.", S("[-2.]"), 4 },
	{ "2.e3", S("[2.e3]"), 3 },
	{ "2.e+3", S("[2.e+3]"), 3 },
	{ "2.e-3", S("[2.e-3]"), 3 },
	{ "0.e1", S("[0.e1]"), 3 },
	{ "two points", S("[1.2.3]"), 4 },
	{ "no digit in the exponent", S("[1e]"), 3 },
	{ "only a sign in the exponent", S("[1e+]"), 4 },
	{ "two signs in the exponent", S("[1e+-2]"), 4 },
	{ "a point in the exponent", S("[1e1.5]"), 4 },
	{ "a second exponent", S("[1e1e1]"), 4 },
	{ "hexadecimal", S("[0x1F]"), 2 },
	{ "an underscore", S("[1_000]"), 2 },
	{ "a thousands space", S("[1 000]"), 3 },
	{ "a letter behind the digits", S("[1a]"), 2 },
	{ "a suffix", S("[1L]"), 2 },
	{ "an expression", S("[1+2]"), 2 },
	{ "full-width digits", S("[\xef\xbc\x91]"), 1 },
	{ "NaN", S("[NaN]"), 1 },
	{ "nan", S("[nan]"), 2 },
	{ "Infinity", S("[Infinity]"), 1 },
	{ "-Infinity", S("[-Infinity]"), 2 },
	{ "-NaN", S("[-NaN]"), 2 },

	/* words */
	{ "True", S("True"), 0 },
	{ "TRUE", S("TRUE"), 0 },
	{ "tru", S("tru"), 3 },
	{ "truth", S("truth"), 3 },
	{ "truee", S("truee"), 4 },
	{ "fals", S("[fals]"), 5 },
	{ "nul", S("nul"), 3 },
	{ "NULL", S("NULL"), 0 },
	{ "nulll", S("nulll"), 4 },
	{ "undefined", S("undefined"), 0 },
	{ "a bare word", S("[a]"), 1 },
	{ "a star", S("[*]"), 1 },

	/* strings */
	{ "single quotes", S("['a']"), 1 },
	{ "a backquote", S("[`a`]"), 1 },
	{ "a raw newline", S("[\"a\nb\"]"), 3 },
	{ "a raw carriage return", S("[\"a\rb\"]"), 3 },
	{ "a raw tab", S("[\"a\tb\"]"), 3 },
	{ "a raw NUL", S("[\"a\0b\"]"), 3 },
	{ "a raw 0x1f", S("[\"a\x1f\"]"), 3 },
	{ "a raw newline in a name", S("{\"a\n\":1}"), 3 },
	{ "\\x", S("\"\\x41\""), 2 },
	{ "\\a", S("\"\\a\""), 2 },
	{ "\\'", S("\"\\'\""), 2 },
	{ "\\0", S("\"\\0\""), 2 },
	{ "\\N", S("\"\\N\""), 2 },
	{ "\\U", S("\"\\U0041\""), 2 },
	{ "a raw byte behind a backslash", S("\"\\\xc3\xa4\""), 2 },
	{ "a newline behind a backslash", S("\"\\\n\""), 2 },
	{ "\\u with three digits", S("\"\\u004\""), 6 },
	{ "\\u with no digit", S("\"\\u\""), 3 },
	{ "\\u with a letter that is none", S("\"\\u00g0\""), 5 },
	{ "\\u with a sign", S("\"\\u+041\""), 3 },
	{ "\\u with a space", S("\"\\u 041\""), 3 },
	{ "half a pair with a broken second", S("\"\\ud800\\u1x\""), 10 },
	{ "an escape outside a string", S("[\\u0041]"), 1 },
	{ "an escaped newline between values", S("[1,\\n2]"), 3 },

	/* UTF-8 */
	{ "a lone continuation byte", S("\"\x80\""), 1 },
	{ "a lead byte and a quote", S("\"\xc3\""), 1 },
	{ "an overlong slash of two bytes", S("\"\xc0\xaf\""), 1 },
	{ "an overlong NUL of two bytes", S("\"\xc0\x80\""), 1 },
	{ "an overlong 0x7f of two bytes", S("\"\xc1\xbf\""), 1 },
	{ "an overlong slash of three bytes", S("\"\xe0\x80\xaf\""), 1 },
	{ "the last overlong of three bytes", S("\"\xe0\x9f\xbf\""), 1 },
	{ "an overlong slash of four bytes", S("\"\xf0\x80\x80\xaf\""), 1 },
	{ "the last overlong of four bytes", S("\"\xf0\x8f\xbf\xbf\""), 1 },
	{ "a high surrogate", S("\"\xed\xa0\x80\""), 1 },
	{ "a low surrogate", S("\"\xed\xbf\xbf\""), 1 },
	{ "a pair of surrogates in UTF-8", S("\"\xed\xa0\xbd\xed\xb8\x80\""), 1 },
	{ "past U+10FFFF", S("\"\xf4\x90\x80\x80\""), 1 },
	{ "0xf5", S("\"\xf5\x80\x80\x80\""), 1 },
	{ "five bytes", S("\"\xf8\x88\x80\x80\x80\""), 1 },
	{ "0xfe and 0xff", S("\"\xfe\xff\""), 1 },
	{ "three bytes cut to two", S("\"\xe2\x82\""), 1 },
	{ "four bytes cut to three", S("\"\xf0\x9f\x98\""), 1 },
	{ "a text that ends in a character", S("\"\xe2\x82"), 1 },
	{ "a second character is wrong", S("\"\xc3\xa4\xc3\""), 3 },
	{ "ISO 8859-1", S("{\"a\":\"gr\xfc\xdf\"}"), 8 },
	{ "UTF-8 outside a string", S("[\xc3\xa4]"), 1 },
	{ "a raw wrong byte in a name", S("{\"\xff\":0}"), 2 },

	/* comments and other dialects */
	{ "a comment to the line's end", S("[1]//a\n"), 3 },
	{ "a comment in stars", S("[1/*a*/]"), 2 },
	{ "a comment in front", S("/**/[]"), 0 },
	{ "a hash comment", S("#a\n[]"), 0 },
	{ "an XML text", S("<a/>"), 0 },
	{ "a form", S("a=b&c=d"), 0 },
	{ "a JSONP call", S("f({})"), 1 },
	{ "two lines of JSON", S("{}\n{}"), 3 },
};

static void
scan_tables(void)
{
	size_t i, n, at;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct str t = good[i].text;

		t.p = test_flush(t.p, t.n);
		CHECKF(json_scan(t, wide, NULL) == JSON_OK, "taken: %s",
		    good[i].says);
		/* No beginning of a bracketed text is one. */
		for (n = 0; n < t.n; n++) {
			struct str part = { good[i].text.p, n };
			enum json_state s;

			part.p = test_flush(part.p, n);
			s = json_scan(part, wide, &at);
			if (good[i].text.p[0] == '[' ||
			    good[i].text.p[0] == '{')
				CHECKF(s == JSON_BROKEN || good[i].text.n - n <
				    6, "refused: %zu bytes of: %s", n,
				    good[i].says);
			CHECKF(s == JSON_OK || at <= n,
			    "the place is in the text: %s", good[i].says);
		}
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct str t = bad[i].text;

		t.p = test_flush(t.p, t.n);
		at = 999;
		CHECKF(json_scan(t, wide, &at) == JSON_BROKEN, "refused: %s",
		    bad[i].says);
		CHECKF(at == bad[i].at, "%s: wrong at %zu, found at %zu",
		    bad[i].says, bad[i].at, at);
	}
	CHECK(json_scan(STR_NONE, wide, &at) == JSON_BROKEN,
	    "an absent text is refused");
}

/* Each byte value at each offset of strings around the width of a register. */
static void
scan_bytes(void)
{
	char text[80];
	size_t n, i, at;
	unsigned c;

	for (n = 1; n <= 70; n++) {
		for (i = 1; i <= n; i++) {
			for (c = 0; c < 256; c++) {
				bool fine = c >= 0x20 && c < 0x80 && c != '"' &&
				    c != '\\';
				enum json_state s;
				struct str t;

				/* All values only where it matters. */
				if (n % 16 > 2 && c % 31 != 0)
					continue;
				memset(text, 'a', sizeof(text));
				text[0] = '"';
				text[n + 1] = '"';
				text[i] = (char)c;
				t = (struct str){ test_flush(text, n + 2),
					n + 2 };
				s = json_scan(t, wide, &at);
				if ((s == JSON_OK) != fine) {
					CHECKF(0, "byte %02x at %zu of %zu", c,
					    i, n);
				} else if (!fine && c != '"' && c != '\\' &&
				    at != i) {
					CHECKF(0, "place of %02x at %zu of %zu",
					    c, i, n);
				}
			}
		}
		CHECKF(1, "%zu bytes", n);
	}
}

static struct str
nested(char *room, size_t depth, const char *open, const char *close)
{
	size_t i, n = 0;

	for (i = 0; i < depth; i++) {
		memcpy(room + n, open, strlen(open));
		n += strlen(open);
	}
	room[n++] = '0';
	for (i = 0; i < depth; i++) {
		memcpy(room + n, close, strlen(close));
		n += strlen(close);
	}
	return (struct str){ room, n };
}

static void
scan_limits(void)
{
	static char room[100000];
	struct json_limits deep = { 100, 1000000 }, few = { 10, 5 },
	    endless = { 1000000, SIZE_MAX }, none = { 0, 1 };
	struct str raw;
	size_t at;

	CHECK(json_scan(nested(room, 100, "[", "]"), deep, NULL) == JSON_OK,
	    "as deep as allowed");
	CHECK(json_scan(nested(room, 101, "[", "]"), deep, &at) ==
	    JSON_TOO_DEEP && at == 100, "one array deeper is refused");
	CHECK(json_scan(nested(room, 100, "{\"a\":", "}"), deep, NULL) ==
	    JSON_OK, "as deep as allowed, in objects");
	CHECK(json_scan(nested(room, 101, "{\"a\":", "}"), deep, NULL) ==
	    JSON_TOO_DEEP, "one object deeper is refused");
	CHECK(json_scan(nested(room, 60, "[{\"a\":", "}]"), deep, NULL) ==
	    JSON_TOO_DEEP, "arrays and objects count together");
	CHECK(json_scan(nested(room, 1024, "[", "]"), endless, NULL) ==
	    JSON_OK, "1024 levels are there for whoever wants them");
	CHECK(json_scan(nested(room, 1025, "[", "]"), endless, NULL) ==
	    JSON_TOO_DEEP, "no limit is above 1024");
	CHECK(json_scan(nested(room, 512, "[{\"a\":", "}]"), endless, NULL) ==
	    JSON_OK, "each level remembers what it is");
	nested(room, 512, "[{\"a\":", "}]");
	room[512 * 6 + 1 + 600] = ']';
	CHECK(json_scan((struct str){ room, 512 * 8 + 1 }, endless, NULL) ==
	    JSON_BROKEN, "a wrong bracket far inside is seen");
	memset(room, '[', sizeof(room));
	CHECK(json_scan((struct str){ room, sizeof(room) }, wide, NULL) ==
	    JSON_TOO_DEEP, "100,000 brackets are refused");
	raw = STR_NONE;
	CHECK(json_find((struct str){ room, sizeof(room) }, STR("[0]"), &raw) !=
	    JSON_STRING, "and searched without a stack");

	CHECK(json_scan(STR("[1,2,3,4]"), few, NULL) == JSON_OK,
	    "as many values as allowed: the array is one");
	CHECK(json_scan(STR("[1,2,3,4,5]"), few, &at) == JSON_TOO_MANY &&
	    at == 9, "one value more is refused");
	CHECK(json_scan(STR("{\"a\":1,\"b\":2,\"c\":3,\"d\":4}"), few, NULL) ==
	    JSON_OK, "names are not counted");
	CHECK(json_scan(STR("[[],[],{},[]]"), few, NULL) == JSON_OK &&
	    json_scan(STR("[[],[],{},[],{}]"), few, NULL) == JSON_TOO_MANY,
	    "empty ones are counted");
	CHECK(json_scan(STR("1"), none, NULL) == JSON_OK &&
	    json_scan(STR("[]"), none, NULL) == JSON_TOO_DEEP,
	    "depth 0 allows a bare value");
}

/* --- the search ---------------------------------------------------------- */

#define DOC								\
	"{ \"type\" : \"push\", \"event\": {\"type\":\"a\", \"id\": 12345678901234567890},\n" \
	"  \"items\":[ {\"id\":\"x\\\"y\"}, [1, [2, 3]], null, true, -1.50e3 ],\n" \
	"  \"hub.challenge\":\"c\", \"hub\":{\"challenge\":\"d\"},\n"	\
	"  \"twice\":1, \"tw\\u0069ce\":2, \"\\u0061\\/b\":\"esc\",\n"	\
	"  \"in\":{\"twice\":{\"a\":1},\"twice\":{\"b\":2}}, \"\":\"empty\",\n" \
	"  \"gr\\u00fc\\u00df\":\"u\", \"\\ud83d\\ude00\":\"smile\", \"{\":\"brace\",\n" \
	"  \"n\\u0000ul\":\"nul\", \"last\":{\"deep\":{\"er\":[{\"a\":\"]}\"},\"z\"]}} }"

static const struct {
	const char	*says, *path;
	enum json_kind	 kind;
	const char	*raw;
} finds[] = {
	{ "a string", "type", JSON_STRING, "push" },
	{ "a member of a member", "event.type", JSON_STRING, "a" },
	{ "a number as it is written", "event.id", JSON_NUMBER, "12345678901234567890" },
	{ "an object whole", "event", JSON_OBJECT,
	    "{\"type\":\"a\", \"id\": 12345678901234567890}" },
	{ "a member of an element, still escaped", "items[0].id", JSON_STRING, "x\\\"y" },
	{ "an array whole", "items[1]", JSON_ARRAY, "[1, [2, 3]]" },
	{ "an element of an element", "items[1][1][0]", JSON_NUMBER, "2" },
	{ "null", "items[2]", JSON_NULL, "null" },
	{ "true", "items[3]", JSON_BOOL, "true" },
	{ "the last element", "items[4]", JSON_NUMBER, "-1.50e3" },
	{ "an index past the end", "items[5]", JSON_NONE, NULL },
	{ "an index too large for a number", "items[99999999999999999999]", JSON_NONE, NULL },
	{ "a negative index", "items[-1]", JSON_NONE, NULL },
	{ "no index", "items[]", JSON_NONE, NULL },
	{ "an open bracket", "items[0", JSON_NONE, NULL },
	{ "a letter as index", "items[a]", JSON_NONE, NULL },
	{ "an index of an object", "event[0]", JSON_NONE, NULL },
	{ "a member of an array", "items.id", JSON_NONE, NULL },
	{ "a member of a string", "type.a", JSON_NONE, NULL },
	{ "a dot separates", "hub.challenge", JSON_STRING, "d" },
	{ "a quoted name holds its dot", "\"hub.challenge\"", JSON_STRING, "c" },
	{ "a quoted name without need", "event.\"type\"", JSON_STRING, "a" },
	{ "a quoted name that is not there", "\"event.type\"", JSON_NONE, NULL },
	{ "a quoted name without its end", "\"type", JSON_NONE, NULL },
	{ "something behind a quoted name", "\"type\"x", JSON_NONE, NULL },
	{ "a quoted empty name", "\"\"", JSON_STRING, "empty" },
	{ "an empty path", "", JSON_NONE, NULL },
	{ "an empty step", "event..type", JSON_NONE, NULL },
	{ "a dot in front", ".type", JSON_NONE, NULL },
	{ "a dot behind", "event.", JSON_NONE, NULL },
	{ "a dot before a bracket", "items.[0]", JSON_NONE, NULL },
	{ "an index without a name", "[0]", JSON_NONE, NULL },
	{ "no such name", "typ", JSON_NONE, NULL },
	{ "a longer name", "types", JSON_NONE, NULL },
	{ "another case", "Type", JSON_NONE, NULL },
	{ "a name that stands twice, once in escapes", "twice", JSON_NONE, NULL },
	{ "a name that stands twice above the wanted", "in.twice.a", JSON_NONE, NULL },
	{ "a name in escapes", "a/b", JSON_STRING, "esc" },
	{ "a name in escapes is not its source", "\\u0061\\/b", JSON_NONE, NULL },
	{ "a name beyond ASCII in escapes", "gr\xc3\xbc\xc3\x9f", JSON_STRING, "u" },
	{ "a name of a pair of surrogates", "\xf0\x9f\x98\x80", JSON_STRING, "smile" },
	{ "a name that looks like a bracket", "{", JSON_STRING, "brace" },
	{ "a name is not cut at \\u0000", "n", JSON_NONE, NULL },
	{ "brackets in a string close nothing", "last.deep.er[0].a", JSON_STRING, "]}" },
	{ "the element behind them", "last.deep.er[1]", JSON_STRING, "z" },
};

static void
find_table(void)
{
	struct str text = STR(DOC), raw;
	size_t i;

	CHECK(json_scan(text, wide, NULL) == JSON_OK, "the text is JSON");
	for (i = 0; i < sizeof(finds) / sizeof(finds[0]); i++) {
		enum json_kind k;

		text.p = test_flush(DOC, text.n);
		k = json_find(text, str_of(finds[i].path), &raw);
		CHECKF(k == finds[i].kind, "kind of %s", finds[i].says);
		CHECKF(json_has(text, str_of(finds[i].path)) ==
		    (k != JSON_NONE || strstr(finds[i].path, "twice") != NULL),
		    "what is ambiguous is there: %s", finds[i].says);
		if (finds[i].raw == NULL)
			CHECKF(raw.p == NULL, "absent: %s", finds[i].says);
		else
			CHECKF(str_eq(raw, str_of(finds[i].raw)),
			    "%s: %.*s", finds[i].says, STR_ARG(raw));
	}
	CHECK(json_find(STR(DOC), STR("\"n\0ul\""), &raw) == JSON_STRING &&
	    str_eq(raw, STR("nul")), "a name with \\u0000 is itself");
	CHECK(json_find(STR("[[\"a\"],{\"b\":7}]"), STR("[1].b"), &raw) ==
	    JSON_NUMBER && str_eq(raw, STR("7")), "a path from an array");
	CHECK(json_find(STR("[]"), STR("[0]"), &raw) == JSON_NONE,
	    "an empty array has no first");
	CHECK(json_find(STR("{}"), STR("a"), &raw) == JSON_NONE,
	    "an empty object has no member");
	CHECK(json_find(STR("5"), STR("a"), &raw) == JSON_NONE,
	    "a number has no member");
	CHECK(json_find(STR("{\"a\":\"\"}"), STR("a"), &raw) == JSON_STRING &&
	    raw.p != NULL && raw.n == 0, "an empty string is there");
	CHECK(json_find(STR("{\"a\":1,\"b\":{\"a\":2}}"), STR("a"), &raw) ==
	    JSON_NUMBER && str_eq(raw, STR("1")),
	    "the same name elsewhere is another");
	CHECK(json_find(STR("{\"a\":1 }"), STR("a"), &raw) == JSON_NUMBER &&
	    raw.n == 1, "a number ends before the space");

	/* What never passed the scan stays inside its bytes all the same. */
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		text = bad[i].text;
		text.p = test_flush(text.p, text.n);
		(void)json_find(text, STR("a.b[0]"), &raw);
		(void)json_has(text, STR("a.b[0]"));
		(void)json_find(text, STR("[0]"), &raw);
		CHECK(raw.p == NULL || (raw.p >= text.p &&
		    raw.p + raw.n <= text.p + text.n), "inside its bytes");
	}
	for (i = 0; i < sizeof(DOC) - 1; i++) {
		text.n = i;
		text.p = test_flush(DOC, i);
		(void)json_find(text, STR("last.deep.er[1]"), &raw);
		CHECK(raw.p == NULL || (raw.p >= text.p &&
		    raw.p + raw.n <= text.p + text.n), "inside its bytes");
	}
}

static const struct {
	struct str	 raw, want;
} escapes[] = {
	{ S(""), S("") },
	{ S("plain"), S("plain") },
	{ S("\\\"\\\\\\/\\b\\f\\n\\r\\t"), S("\"\\/\b\f\n\r\t") },
	{ S("a\\u0000b"), S("a\0b") },
	{ S("\\u0041\\u00e4\\u20AC"), S("A\xc3\xa4\xe2\x82\xac") },
	{ S("\\ud83d\\ude00!"), S("\xf0\x9f\x98\x80!") },
	{ S("\\udbff\\udfff"), S("\xf4\x8f\xbf\xbf") },
	{ S("\\ud83dx"), S("\xef\xbf\xbdx") },
	{ S("\\ude00\\ud83d"), S("\xef\xbf\xbd\xef\xbf\xbd") },
	{ S("\\ud83d\\u0041"), S("\xef\xbf\xbd" "A") },
	{ S("\\ud83d\\n"), S("\xef\xbf\xbd\n") },
	{ S("\\ud83d\\ud83d\\ude00"), S("\xef\xbf\xbd\xf0\x9f\x98\x80") },
	{ S("\\ufffe\\uffff"), S("\xef\xbf\xbe\xef\xbf\xbf") },
	{ S("\xc3\xa4\\t\xc3\xa4"), S("\xc3\xa4\t\xc3\xa4") },
};

static void
unescape_table(void)
{
	struct arena *a = arena_new(65536), *tiny = arena_new(3);
	size_t i;

	for (i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		struct str raw = escapes[i].raw;

		raw.p = test_flush(raw.p, raw.n);
		CHECKF(str_eq(json_unescape(a, raw), escapes[i].want),
		    "unescaped: %s", escapes[i].raw.p);
	}
	CHECK(json_unescape(tiny, STR("abc\\n")).p == NULL,
	    "nothing at the arena's limit");
	/* Half an escape cannot come from the scan, and reads nothing after. */
	for (i = 0; i < 12; i++)
		(void)json_unescape(a, (struct str){
		    test_flush("\\ud83d\\ude00", i), i });
	arena_free(a);
	arena_free(tiny);
}

/* --- files ---------------------------------------------------------------- */

static const struct {
	const char	*says, *text, *want;
} refusals[] = {
	{ "an empty file", "", "f:1:1: a value is missing" },
	{ "a comment alone", "// a\n", "f:2:1: a value is missing" },
	{ "a trailing comma", "{\n  \"a\": 1,\n}",
	    "f:3:1: no comma stands before }" },
	{ "a trailing comma in an array", "[1,\n ]", "f:2:2: a value" },
	{ "a missing comma", "{\"a\": 1\n \"b\": 2}",
	    "f:2:2: a comma or } is missing before this" },
	{ "a line's end in a string", "{\"a\": \"b\n}",
	    "f:1:9: a line ends inside a string; is a quote missing?" },
	{ "single quotes", "{'a': 1}", "f:1:2: a name in double quotes" },
	{ "a comment without its end", "{ /* a\n }",
	    "f:1:3: a comment does not end" },
	{ "a lone slash", "{ / }", "f:1:3: a comment begins with" },
	{ "a name twice", "{\"a\": 1, /*\n*/ \"a\": 2}",
	    "f:2:4: the name \"a\" stands here for the second time" },
	{ "a name twice, once in escapes", "{\"a\":1,\n\"\\u0061\":2}",
	    "f:2:1: the name \"\\u0061\" stands here for the second time" },
	{ "a name twice in an inner object", "[{\"b\":{\"a\":1,\"c\":2,\"a\":3}}]",
	    "f:1:20: the name \"a\" stands" },
	{ "a name twice with values of two kinds",
	    "{\"a\":{\"x\":1},\"a\":[2]}", "f:1:14: the name" },
	{ "\\u0000 in a name", "{\"a\\u0000b\":1}",
	    "f:1:2: a name may not hold \\u0000" },
	{ "a byte order mark", "\xef\xbb\xbf{}", "f:1:1: the file begins with "
	    "a byte order mark" },
	{ "not UTF-8", "{\"a\":\"\xff\"}", "f:1:7: this is not UTF-8" },
	{ "columns count characters", "{\"\xc3\xa4\xe2\x82\xac\":x}",
	    "f:1:7: a value" },
	{ "two values", "{} {}", "f:1:4: the text has ended before this" },
	{ "NaN", "[NaN]", "f:1:2: a value" },
	{ "a zero in front", "[01]", "f:1:3: a number does not begin with 0" },
	{ "TRUE", "[TRUE]", "f:1:2: a value" },
	{ "65 levels",
	    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
	    "[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",    "f:1:65: this is too deeply nested" },
};

static void
read_refusals(void)
{
	size_t i;

	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct err e = { ERR_NONE, "" };
		struct str text = str_of(refusals[i].text);
		struct json_doc *d;

		text.p = test_flush(text.p, text.n);
		d = json_read(text, "f", &e);
		CHECKF(d == NULL, "refused: %s", refusals[i].says);
		CHECKF(e.code == ERR_CONF && str_starts(str_of(e.text),
		    str_of(refusals[i].want)), "%s: %s", refusals[i].says,
		    e.text);
		json_close(d);
	}
	/* The strict scan's refusals hold for files, but for comments. */
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = { ERR_NONE, "" };
		struct json_doc *d = json_read(bad[i].text, "f", &e);
		ptrdiff_t slash = str_find(bad[i].text, '/');

		CHECKF(d == NULL || slash >= 0,
		    "refused in a file: %s", bad[i].says);
		json_close(d);
	}
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err e = { ERR_NONE, "" };
		struct json_doc *d = json_read(good[i].text, "f", &e);

		CHECKF((d != NULL) == (strcmp(good[i].says, "two equal names")
		    != 0), "taken in a file: %s: %s", good[i].says, e.text);
		json_close(d);
	}
}

#define FILE_TEXT							\
	"// the file\n"							\
	"{\n"								\
	"  \"inbox\": \"sqlite:/x\", // not \"this\"\n"			\
	"  /* \"hidden\": 1, */ \"n\": -42, \"half\": 0.5,\n"		\
	"  \"large\": 99999999999999999999, \"none\": null, \"yes\": true,\n" \
	"  \"url\": \"http://a/*b*/\",\n"				\
	"  \"list\": [null, \"a\\u0000b\", {\"x\": [ 1, /**/ 2 ]}], \"no\":false\n" \
	"}\n// the end"

static void
read_tree(void)
{
	struct err e = { ERR_NONE, "" };
	struct str text = STR(FILE_TEXT), name;
	const struct json_object *root, *o;
	struct json_doc *d;

	text.p = test_flush(FILE_TEXT, text.n);
	d = json_read(text, "hooklatch.json", &e);
	CHECKF(d != NULL, "a file with comments is read: %s", e.text);
	if (d == NULL)
		return;
	memset((char *)text.p, 'x', text.n);	/* it has its own copy */
	root = json_root(d);
	CHECK(json_kind(root) == JSON_OBJECT && json_count(root) == 9,
	    "members are counted");
	CHECK(str_eq(json_text(json_member(root, "inbox")), STR("sqlite:/x")),
	    "a string");
	CHECK(str_eq(json_text(json_member(root, "url")),
	    STR("http://a/*b*/")), "a comment in a string is its text");
	o = json_member(root, "n");
	CHECK(json_is_int(o) && json_int(o) == -42, "an integer");
	CHECK(json_kind(o) == JSON_NUMBER, "is a number");
	o = json_member(root, "half");
	CHECK(json_kind(o) == JSON_NUMBER && !json_is_int(o),
	    "a fraction is a number and no integer");
	CHECK(str_eq(json_source(d, o), STR("0.5")), "and has its source");
	o = json_member(root, "large");
	CHECK(json_kind(o) == JSON_NUMBER && !json_is_int(o),
	    "what does not fit is no integer");
	o = json_member(root, "none");
	CHECK(o != NULL && json_kind(o) == JSON_NULL, "a null is there");
	CHECK(json_member(root, "nothing") == NULL &&
	    json_kind(NULL) == JSON_NONE, "what is not there is not");
	CHECK(json_member(root, "hidden") == NULL, "nor in a comment");
	CHECK(json_bool(json_member(root, "yes")) &&
	    !json_bool(json_member(root, "no")), "true and false");
	CHECK(!json_bool(json_member(root, "none")) &&
	    json_kind(json_member(root, "no")) == JSON_BOOL,
	    "null is not false");
	o = json_member(root, "list");
	CHECK(json_count(o) == 3 && json_at(o, 3) == NULL,
	    "elements are counted");
	CHECK(json_kind(json_at(o, 0)) == JSON_NULL, "a null in an array");
	CHECK(str_eq(json_text(json_at(o, 1)), STR("a\0b")),
	    "a string keeps its NUL");
	CHECK(json_text(o).p == NULL && json_int(o) == 0 && !json_bool(o) &&
	    json_member(o, "a") == NULL && json_at(root, 0) == NULL,
	    "the wrong question has no answer");
	o = json_member(json_at(o, 2), "x");
	CHECK(str_eq(json_source(d, o), STR("[ 1, /**/ 2 ]")),
	    "a source holds its comments");
	CHECK(json_int(json_at(o, 1)) == 2, "the element behind a comment");
	CHECK(json_nth(root, 0, &name) == json_member(root, "inbox") &&
	    str_eq(name, STR("inbox")), "the first in the file's order");
	CHECK(json_kind(json_nth(root, 4, &name)) == JSON_NULL &&
	    str_eq(name, STR("none")), "a null keeps its place in the order");
	CHECK(json_nth(root, 9, &name) == NULL && name.p == NULL,
	    "none behind the last");

	json_err(d, json_member(root, "half"), &e, "what of %d?", 5);
	CHECKF(strcmp(e.text, "hooklatch.json:4:32: what of 5?") == 0,
	    "an error at a member is at its name: %s", e.text);
	json_err(d, json_member(root, "none"), &e, "no");
	CHECKF(strcmp(e.text, "hooklatch.json:5:34: no") == 0,
	    "an error at a null has a place: %s", e.text);
	json_err(d, json_at(json_member(root, "list"), 1), &e, "no");
	CHECKF(strcmp(e.text, "hooklatch.json:7:18: no") == 0,
	    "an error at an element is at the element: %s", e.text);
	json_err(d, root, &e, "no");
	CHECKF(strcmp(e.text, "hooklatch.json:2:1: no") == 0,
	    "an error at the whole: %s", e.text);
	CHECK(e.code == ERR_CONF, "is the configuration's");
	json_close(d);

	d = json_read(STR("null"), "f", &e);
	CHECK(d != NULL && json_kind(json_root(d)) == JSON_NULL,
	    "a file that is null");
	json_close(d);
	d = json_read(STR("7// seven"), "f", &e);
	CHECK(d != NULL && json_int(json_root(d)) == 7,
	    "a bare number before a comment");
	json_close(d);
	json_close(NULL);
}

int
main(void)
{
	scan_tables();
	scan_bytes();
	scan_limits();
	find_table();
	unescape_table();
	read_refusals();
	read_tree();
	TEST_END("json");
}
