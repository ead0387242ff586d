/*
 * sdk.js - our verdicts beside those of the providers' own SDKs.
 *
 *	node tests/tool/sdk.js JUDGE [PROVIDER...]
 *		each adapter of tests/sdk/, or those named: requests are made,
 *		spoiled in many ways, and judged by the SDK and by the program
 *		JUDGE (tests/tool/judge.c).  Prints what is not as promised, and
 *		last "P passed F failed"
 *	node tests/tool/sdk.js --sdk-only [PROVIDER...]
 *		without JUDGE: whether the adapters hold against the SDKs
 *
 * An adapter is
 *	provider, sdk		the id of a file in providers/; the package
 *	variant			to tell two adapters of a provider apart
 *	secrets			two: the hook's, and another
 *	make(body, at, secret)	a request, signed at a time in ms: method, url,
 *				headers [[name, value]...], body, and the
 *				parameters that the hook needs
 *	verify(request, secret)	what the SDK says of it: true or false
 *	params(secret)		the secret as an example gives it: {secret}
 *	header			where the signature stands, or
 *	edit(request, change)	the request with its signature changed; change
 *				gets the value, and says which values (0 to 2)
 *				stand in its place
 *	signature		a pattern that finds it in the value
 *	bodies			names of those below; default those of JSON
 *	flip(request)		a byte changed of what is signed, where that is
 *				not the body
 *	window			seconds; the SDK's, or ours where it has none
 *	time			the header of the time, where it has its own, or
 *				a pattern that finds it beside the signature
 *	downgrades		[[from, to]...], of the signature's header
 *	several(a, b)		two signatures in one value
 *	signs_headers		names of other headers that are signed
 *	more			{case: request => request}
 *	signs_url		the URL is signed
 *	file(text)		the provider's file as it is judged by, where it has
 *				to be another: a root that is made here
 *	unusable		what the SDK throws at a secret that it can not use
 *	stricter, laxer		{case: sentence}: we refuse what the SDK takes;
 *				we take what the SDK refuses.  A sentence whose
 *				difference is gone is a failure; "CASE (BODY)"
 *				speaks of one body alone
 */
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const HOME = path.join(__dirname, '..', 'sdk');

const FILES = ['standard-webhooks', 'body', 'timed', 'url', 'keys', 'adyen',
    'amazon-sns', 'apple-app-store', 'bird', 'contentful', 'dropbox-sign', 'ebay',
    'hygraph', 'livekit', 'plivo', 'pubsub', 'qstash', 'solidgate', 'truelayer',
    'vonage'];

/* --- bodies ---------------------------------------------------------------------- */

/* The last digit of each is one that can be flipped: nothing else depends on it. */
const BODIES = {
	compact: '{"id":"evt_1","type":"test.event","data":{"text":"a/b & c","n":1234}}',
	letters: '{"id":"evt_2","type":"test.event","data":{"text":"Grüße, 你好 €","n":1234}}',
	pretty: '{\n  "id": "evt_3",\n  "type": "test.event",\n  "data": {\n' +
	    '    "text": "Grüße \\u00e9 \\ud83d\\ude00 \\/ 😀",\n    "n": 1234\n  }\n}',
	newline: '{"id":"evt_4","type":"test.event","data":{"n":1234}}\n',
	form: 'id=evt_5&text=gr%C3%BC%C3%9Fe+%26+more&n=1234',
	repeated: 'id=evt_6&tag=b&tag=a&tag=b&empty=&n=1234',
	empty: '',
};
const JSON_BODIES = ['compact', 'pretty', 'newline'];

/* --- changes of a request --------------------------------------------------------- */

const SIGNATURE = /[0-9A-Za-z+/_-]{27,}={0,2}/;

function flip_body(request)
{
	const at = request.body.search(/\d\D*$/);
	const digit = (Number(request.body[at]) ^ 1).toString();

	return { ...request, body: request.body.slice(0, at) + digit +
	    request.body.slice(at + 1) };
}

/* change: from a value to those that take its place */
function edit_header(request, name, change)
{
	return { ...request, headers: request.headers.flatMap(([key, value]) =>
	    key.toLowerCase() !== name.toLowerCase() ? [[key, value]] :
	    change(value).map((changed) => [key, changed])) };
}

function edit(x, change)
{
	return x.adapter.edit ? x.adapter.edit(x.request, change) :
	    edit_header(x.request, x.adapter.header, change);
}

function edit_signature(x, change)
{
	const pattern = x.adapter.signature ?? SIGNATURE;

	return edit(x, (value) => [value.replace(pattern, change)]);
}

function signature_of(x)
{
	let found;

	edit_signature(x, (signature) => found = signature);
	return found;
}

function edit_time(x, change)
{
	const { time } = x.adapter;

	return typeof time === 'string' ?
	    edit_header(x.request, time, (value) => [change(value)]) :
	    edit(x, (value) => [value.replace(time, change)]);
}

/* A second or a thousandth later, in whatever way the time is written. */
function later(time)
{
	return /^\d+$/.test(time) ? String(BigInt(time) + 1n) :
	    time.replace(/\d(?=\D*$)/, (digit) => Number(digit) ^ 1);
}

function respace(body)
{
	const value = JSON.parse(body);

	return body.includes('\n  ') ? JSON.stringify(value) :
	    JSON.stringify(value, null, 1);
}

/* --- cases --------------------------------------------------------------------------- */

/*
 * x: the adapter, the body's name, the request as it was made, the secrets, and
 * again(at, secret, body) to make another.  A case returns what is different:
 * the request, or the secret of the one who judges, or nothing when the case
 * can not be had.  must: what both have to say.
 */
const CASES = [
	{ name: 'genuine', must: true, of: () => ({}) },
	{ name: 'another body', must: false, of: (x) =>
		x.adapter.flip ? { request: x.adapter.flip(x.request) } :
		x.request.body !== '' && { request: flip_body(x.request) } },
	/* What is in a file is the same for all: there the sender has the other. */
	{ name: 'another secret', must: false, of: async (x) => x.adapter.file ?
		{ request: await x.again(x.now, x.other) } : { secret: x.other } },
	{ name: 'another signature', must: false, of: (x) => ({
		request: edit_signature(x, (s) => {
			const half = s.length >> 1;
			return s.slice(0, half) + (s[half] === '0' ? '1' : '0') +
			    s.slice(half + 1);
		}) }) },
	{ name: 'no signature', must: false, of: (x) => ({
		request: edit(x, () => []) }) },
	{ name: 'an empty signature', of: (x) => ({ request: edit(x, () => ['']) }) },
	{ name: 'a signature one short', of: (x) => ({
		request: edit_signature(x, (s) => s.slice(0, -1)) }) },
	{ name: 'half a signature', of: (x) => ({
		request: edit_signature(x, (s) => s.slice(0, s.length >> 1)) }) },
	{ name: 'a signature cut to nothing', of: (x) => ({
		request: edit_signature(x, () => '') }) },
	{ name: 'a longer signature', of: (x) => ({
		request: edit_signature(x, (s) => s + s) }) },
	{ name: 'upper-case hex', of: (x) => /^[0-9a-f]+$/.test(signature_of(x)) && {
		request: edit_signature(x, (s) => s.toUpperCase()) } },
	{ name: 'the header twice', of: (x) => ({
		request: edit(x, (value) => [value, value]) }) },
	{ name: 'the header joined', of: (x) => ({
		request: edit(x, (value) => [value + ', ' + value]) }) },
	{ name: 'stale', of: (x) => x.window && {
		request: x.again(x.now - x.window - x.margin) } },
	{ name: 'nearly stale', of: (x) => x.window && {
		request: x.again(x.now - x.window + x.margin) } },
	{ name: 'ahead', of: (x) => x.window && {
		request: x.again(x.now + x.window + x.margin) } },
	{ name: 'nearly ahead', of: (x) => x.window && {
		request: x.again(x.now + x.window - x.margin) } },
	{ name: 'another time', of: (x) => x.adapter.time && {
		request: edit_time(x, later) } },
	{ name: 'letters behind the time', of: (x) => x.adapter.time && {
		request: edit_time(x, (time) => time + 'abc') } },
	{ name: 'an empty time', of: (x) => x.adapter.time && {
		request: edit_time(x, () => '') } },
	{ name: 're-serialised', of: (x) => /^[[{]/.test(x.request.body) && {
		request: { ...x.request, body: respace(x.request.body) } } },
	{ name: 'white space around the secret', of: (x) =>
		typeof x.secret === 'string' && { secret: ' ' + x.secret + '\n' } },
	{ name: 'another URL', of: (x) => x.adapter.signs_url && {
		request: { ...x.request, url: x.request.url +
		    (x.request.url.includes('?') ? '&' : '?') + 'more=1' } } },
	{ name: 'wrong and right', of: (x) => several(x, x.wrong, x.right) },
	{ name: 'right and wrong', of: (x) => several(x, x.right, x.wrong) },
	{ name: 'wrong and wrong', of: (x) => several(x, x.wrong, x.wrong) },
];

function several(x, first, second)
{
	return x.adapter.several && {
		request: edit(x, () => [x.adapter.several(first, second)]) };
}

/* The cases that an adapter asks for. */
function more_cases({ downgrades = [], signs_headers = [], more = {} })
{
	return [
		...Object.entries(more).map(([name, change]) => ({ name,
			of: (x) => ({ request: change(x.request) }) })),
		...downgrades.map(([from, to]) => ({ name: `${from} made ${to}`,
			of: (x) => ({ request: edit(x,
			    (value) => [value.replace(from, to)]) }) })),
		...signs_headers.flatMap((header) => [
			{ name: `another ${header}`, of: (x) => ({ request: edit_header(
			    x.request, header, (value) => [value + '1']) }) },
			{ name: `no ${header}`, of: (x) => ({ request: edit_header(
			    x.request, header, () => []) }) },
		]),
	];
}

/* --- what the SDK says ------------------------------------------------------------------ */

function value_of(adapter, request)
{
	let found;

	edit({ adapter, request }, (value) => {
		found = value;
		return [value];
	});
	return found;
}

async function situation(adapter, name)
{
	const [secret, other] = adapter.secrets;
	const now = Date.now();
	const again = (at, key = secret) => adapter.make(BODIES[name], at, key);
	const request = await again(now);

	return { adapter, name, now, again, request, secret, other,
	    window: adapter.window * 1000,
	    margin: Math.min(20, adapter.window * 0.4) * 1000,
	    right: value_of(adapter, request),
	    wrong: value_of(adapter, await again(now, other)) };
}

/* What the case is, and the SDK's verdict: true, false, or what it threw. */
async function try_case(x, c)
{
	const what = await c.of(x);
	if (!what)
		return undefined;

	const request = await (what.request ?? x.request);
	const secret = what.secret ?? x.secret;
	const tried = { adapter: x.adapter, body: x.name, name: c.name, must: c.must,
	    now: Date.now(), request, secret };
	try {
		tried.theirs = await x.adapter.verify(request, secret);
	} catch (e) {
		/* A secret that can not be used proves nothing genuine. */
		if (what.secret && x.adapter.unusable?.test(e.message))
			tried.theirs = false;
		else
			tried.threw = e;
	}
	return tried;
}

async function try_adapter(adapter)
{
	const all = [];

	/* The first use loads the SDK: no request has to grow old meanwhile. */
	const first = await situation(adapter, (adapter.bodies ?? JSON_BODIES)[0]);
	await adapter.verify(first.request, first.secret);

	for (const name of adapter.bodies ?? JSON_BODIES) {
		for (const c of [...CASES, ...more_cases(adapter)]) {
			const tried = await try_case(await situation(adapter, name), c);
			if (tried)
				all.push(tried);
		}
	}
	return all;
}

/* --- what we say ------------------------------------------------------------------------- */

function question({ adapter, request, secret, now })
{
	return JSON.stringify({ provider: adapter.provider, now, examples: [{
		says: 'a request', source: 'made', expect: 'genuine',
		...(adapter.params ? adapter.params(secret) : { secret }),
		...request }] }) + '\n';
}

/*
 * All in one batch.  At a secret that a hook could not start with the judge ends:
 * that is our answer then, and another one takes the rest.
 */
/* A directory with the provider's file, changed. */
function own_files(adapter)
{
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'hooklatch-sdk-'));
	const name = `${adapter.provider}.json`;
	const text = fs.readFileSync(path.join(__dirname, '..', '..', 'providers',
	    name), 'utf8');

	fs.writeFileSync(path.join(dir, name), adapter.file(text));
	return dir;
}

function judge(program, adapter, all)
{
	const dir = adapter.file ? own_files(adapter) : null;

	try {
		judge_all(program, dir ? [dir] : [], all);
	} finally {
		if (dir)
			fs.rmSync(dir, { recursive: true });
	}
}

function judge_all(program, args, all)
{
	let next = 0;

	while (next < all.length) {
		const run = spawnSync(program, args, { maxBuffer: 1 << 28,
		    input: all.slice(next).map(question).join('') });
		/* It may end before it has read everything: see below. */
		if (run.error && run.error.code !== 'EPIPE')
			throw run.error;
		for (const line of run.stdout.toString().split('\n').slice(0, -1)) {
			const { verdict, reason } = JSON.parse(line);
			Object.assign(all[next++], { ours: verdict === 'genuine',
			    reason: `${verdict} (${reason})` });
		}
		if (run.status === 0)
			break;
		const said = run.stderr.toString().trim();
		if (!/ cannot be used: /.test(said))
			throw new Error(`the judge ended early: ${said}`);
		Object.assign(all[next++], { ours: false, reason: said });
	}
}

/* --- comparing ---------------------------------------------------------------------------- */

const version = (sdk) => JSON.parse(fs.readFileSync(path.join(__dirname, '..', '..',
    'node_modules', sdk, 'package.json'), 'utf8')).version;

class Count
{
	passed = 0;
	failed = 0;

	check(kept, promise)
	{
		if (kept)
			this.passed++;
		else {
			this.failed++;
			fs.writeSync(1, `not kept: ${promise}\n`);
		}
	}
}

function title({ adapter, body, name })
{
	return `${adapter.provider}${adapter.variant ? ' ' + adapter.variant : ''}: ` +
	    `${name} (${body})`;
}

function sentence(table, { body, name })
{
	return table?.[name] ?? table?.[`${name} (${body})`];
}

function compare(count, tried)
{
	const { adapter, must, ours, reason, theirs, threw } = tried;
	const sdk = `${adapter.sdk} ${version(adapter.sdk)}`;
	const stricter = sentence(adapter.stricter, tried);
	const laxer = sentence(adapter.laxer, tried);

	if (threw)
		count.check(false, `${title(tried)}: ${sdk} has a verdict ` +
		    `(it threw ${threw.name}: ${threw.message})`);
	else if (must !== undefined)
		count.check(ours === must && theirs === must, `${title(tried)}: both ` +
		    `${must ? 'take' : 'refuse'} it (${sdk}: ${theirs}, we: ${reason})`);
	else if (stricter)
		count.check(theirs && !ours, `${title(tried)}: ${stricter} ` +
		    `(${sdk}: ${theirs}, we: ${reason})`);
	else if (laxer)
		count.check(!theirs && ours, `${title(tried)}: ${laxer} ` +
		    `(${sdk}: ${theirs}, we: ${reason})`);
	else
		count.check(ours === theirs, `${title(tried)}: the same verdict ` +
		    `(${sdk}: ${theirs}, we: ${reason})`);
}

/* A sentence about a case that no longer is one is stale as well. */
function check_sentences(count, adapter, all)
{
	for (const key of [...Object.keys(adapter.stricter ?? {}),
	    ...Object.keys(adapter.laxer ?? {})])
		count.check(all.some(({ name, body, must }) => must === undefined &&
		    (key === name || key === `${name} (${body})`)),
		    `${adapter.provider}: "${key}" is a case`);
}

function check_sdk(count, tried)
{
	const { must, theirs, threw } = tried;

	count.check(!threw && (must ?? theirs) === theirs, `${title(tried)}: the SDK ` +
	    `${must === undefined ? 'has a verdict' : must ? 'takes it' : 'refuses it'}` +
	    ` (${threw ? `it threw ${threw.name}: ${threw.message}` : theirs})`);
}

async function main(program, names)
{
	const count = new Count();
	const adapters = FILES.flatMap((file) => require(path.join(HOME, file)))
	    .filter(({ provider }) => names.length === 0 || names.includes(provider));

	for (const adapter of adapters) {
		const all = await try_adapter(adapter);
		if (program === '--sdk-only') {
			all.forEach((tried) => check_sdk(count, tried));
			continue;
		}
		judge(program, adapter, all);
		all.forEach((tried) => compare(count, tried));
		check_sentences(count, adapter, all);
	}
	fs.writeSync(1, `${count.passed} passed ${count.failed} failed\n`);
	process.exit(count.failed === 0 ? 0 : 1);
}

const [program, ...names] = process.argv.slice(2);
if (program === undefined) {
	console.error('usage: sdk.js JUDGE|--sdk-only [PROVIDER...]');
	process.exit(64);
}

/* Node.js 18 does not have it by itself; several SDKs want it. */
globalThis.crypto ??= crypto.webcrypto;
/* The verdict is what counts, not what an SDK writes on the way there ... */
console.log = console.warn = console.error = console.debug = () => {};
/* ... and no SDK has to ask anybody for it. */
net.Socket.prototype.connect = () => {
	throw new Error('an SDK wants the network');
};
main(program, names).catch((e) => {
	fs.writeSync(2, `sdk.js: ${e.stack}\n`);
	process.exit(1);
});
