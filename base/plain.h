/*
 * plain.h - how far a text is plain: bytes that stand in a string of JSON as they
 * are, sixteen at a time.
 *
 * With SSE2, which each x86-64 has; without, eight at a time in a register.
 * tests/fuzz/fuzz_plain.c holds both against one byte after the other.
 */
#ifndef BASE_PLAIN_H
#define BASE_PLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__) && !defined(PLAIN_PORTABLE)
#define PLAIN_SSE2
#include <emmintrin.h>
#endif

/* shown: nor is 0x7f, which JSON lets stand and a terminal obeys. */
static inline bool
plain_byte(char c, bool shown)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < (shown ? 0x7f : 0x80) &&
	    c != '"' && c != '\\';
}

/*
 * The first byte that is not plain_byte(): a control byte, '"', '\', 0x80 and
 * above; or end.
 */
static inline const char *
plain_end(const char *p, const char *end, bool shown)
{
#ifdef PLAIN_SSE2
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'),
	    space = _mm_set1_epi8(0x20), del = _mm_set1_epi8(0x7f);

	while (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* As signed bytes those from 0x80 are below 0x20 too. */
		__m128i not = _mm_or_si128(_mm_cmplt_epi8(v, space),
		    _mm_or_si128(_mm_cmpeq_epi8(v, quote),
		    _mm_cmpeq_epi8(v, slash)));
		int hit;

		if (shown)
			not = _mm_or_si128(not, _mm_cmpeq_epi8(v, del));
		if ((hit = _mm_movemask_epi8(not)) != 0)
			return p + __builtin_ctz((unsigned)hit);
		p += 16;
	}
#else
	/* A byte's top bit is set where something is, or behind it. */
	const uint64_t ones = UINT64_C(0x0101010101010101), top = ones << 7;

	while (end - p >= 8) {
		uint64_t v, quote, slash, del;

		memcpy(&v, p, 8);
		quote = v ^ (ones * '"');
		slash = v ^ (ones * '\\');
		del = shown ? v ^ (ones * 0x7f) : ones;
		if (((v | (v - ones * 0x20) | (quote - ones) |
		    (slash - ones) | (del - ones)) & top) != 0)
			break;
		p += 8;
	}
#endif
	while (p < end && plain_byte(*p, shown))
		p++;
	return p;
}

/* In a text that was scanned: the first '"' or '\', or end. */
static inline const char *
plain_quote(const char *p, const char *end)
{
#ifdef PLAIN_SSE2
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');

	while (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		int hit = _mm_movemask_epi8(_mm_or_si128(
		    _mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));

		if (hit != 0)
			return p + __builtin_ctz((unsigned)hit);
		p += 16;
	}
#endif
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

#endif
