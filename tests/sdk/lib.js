/*
 * lib.js - what the adapters in tests/sdk/ share.  What an adapter is stands at
 * the top of tests/tool/sdk.js.
 */
'use strict';

const crypto = require('node:crypto');

function hmac(algorithm, key, text, encoding)
{
	return crypto.createHmac(algorithm, key).update(text).digest(encoding);
}

function hash(algorithm, text, encoding)
{
	return crypto.createHash(algorithm).update(text).digest(encoding);
}

function seconds(ms)
{
	return String(Math.floor(ms / 1000));
}

/* A request; more: another url, and parameters of the hook. */
function post(body, headers, more = {})
{
	const json = /^\s*[[{]/.test(body);

	return {
		method: 'POST', url: 'https://example.com/hook', body, ...more,
		headers: [['Content-Type', json ? 'application/json' :
		    'application/x-www-form-urlencoded'], ...Object.entries(headers)],
	};
}

/* As node:http hands them over: names in lower case, what came twice joined. */
function headers(request)
{
	const all = {};

	for (const [name, value] of request.headers) {
		const key = name.toLowerCase();
		all[key] = key in all ? all[key] + ', ' + value : value;
	}
	return all;
}

/* The SDKs that want a text get the empty one for a header that is not there. */
function header(request, name)
{
	return headers(request)[name.toLowerCase()] ?? '';
}

/*
 * The verdict of an SDK that throws, or answers false: an exception that is about
 * the signature refuses the request.  Any other one says nothing of the request,
 * and goes on.
 */
async function holds(refusal, run)
{
	try {
		return await run() !== false;
	} catch (e) {
		if (refusal.test((e.type ?? e.name) + ': ' + e.message))
			return false;
		throw e;
	}
}

/* Two Ed25519, RSA or other key pairs: ours, and one that is not. */
function key_pairs(type, options)
{
	return [1, 2].map(() => crypto.generateKeyPairSync(type, options));
}

function base64url(value)
{
	return Buffer.from(typeof value === 'string' ? value :
	    JSON.stringify(value)).toString('base64url');
}

/* sign: from the signing input to the signature, base64url */
function jws(header, claims, sign)
{
	const input = base64url(header) + '.' + base64url(claims);

	return input + '.' + sign(input);
}

function hs256(claims, secret)
{
	return jws({ alg: 'HS256', typ: 'JWT' }, claims,
	    (input) => hmac('sha256', secret, input, 'base64url'));
}

function rs256(header, claims, privateKey)
{
	return jws({ alg: 'RS256', typ: 'JWT', ...header }, claims,
	    (input) => crypto.sign('sha256', Buffer.from(input), privateKey)
	    .toString('base64url'));
}

/* Cases for "more": tokens with the same claims that nobody signed as agreed. */
function jwt_cases(name, shared)
{
	const forge = (request, change) => ({ ...request,
		headers: request.headers.map(([key, value]) => [key,
		    key !== name ? value : value.replace(/[^. ]+\.[^.]+\.[^.]*$/,
		    (token) => change(...token.split('.').slice(0, 2)))]) });
	const header = (old, alg) => base64url({
		...JSON.parse(Buffer.from(old, 'base64url')), alg });

	return {
		'alg none': (request) => forge(request, (old, claims) =>
		    `${header(old, 'none')}.${claims}.`),
		'alg none, signed': (request) => forge(request, (old, claims) =>
		    `${header(old, 'none')}.${claims}.` + hmac('sha256', '',
		    `${header(old, 'none')}.${claims}`, 'base64url')),
		'HS256 by what is public': (request) => forge(request, (old, claims) =>
		    `${header(old, 'HS256')}.${claims}.` + hmac('sha256', shared ?? '',
		    `${header(old, 'HS256')}.${claims}`, 'base64url')),
	};
}

/* For "edit": the signature is a member of the body, not its last one. */
function edit_member(name)
{
	const pattern = new RegExp(`"${name}":"([^"]*)",`);

	return (request, change) => ({ ...request,
		body: request.body.replace(pattern, (all, value) => change(value)
		    .map((changed) => `"${name}":"${changed}",`).join('')) });
}

/* Sentences for "stricter" and "laxer" that hold of many SDKs. */
const TWICE = {
	'the header twice': 'what came twice is refused: which of the two counts?',
	'the header joined': 'a web server writes so what came twice',
};
const TWICE_A_MEMBER = {
	'the header twice': 'the SDK reads the last of two members of one name',
};
const EITHER_CASE = {
	'upper-case hex': 'the digits of either case say the same bytes',
};
const PAST_ALONE = {
	'ahead': 'the SDK looks at the past alone; a time ahead would be good for longer',
};
const NO_CLOCK = {
	'stale': 'the SDK does not look at the clock',
	'ahead': 'the SDK does not look at the clock',
};
const READS_NUMBER = {
	'letters behind the time': 'the SDK signs the number that it reads, we the ' +
	    'text that came',
};
const LOOSE_BASE64 = {
	'a signature one short': 'the SDK reads base64 without its padding',
	'a longer signature': 'the SDK reads base64 up to its padding',
};
const READS_AGAIN = {
	're-serialised': 'the SDK signs JSON that it wrote itself, we the bytes ' +
	    'that came',
};

module.exports = { hmac, hash, seconds, post, headers, header, holds, key_pairs,
    base64url, jws, hs256, rs256, jwt_cases, edit_member,
    TWICE, TWICE_A_MEMBER, EITHER_CASE, PAST_ALONE, NO_CLOCK, READS_NUMBER, LOOSE_BASE64,
    READS_AGAIN };
