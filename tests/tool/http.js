/*
 * http.js - courier/http.c against real servers, some of them with faults.
 *
 *	node tests/tool/http.js POSTER DIRECTORY
 *		prints what is not as promised, and last "P passed F failed"
 *	node tests/tool/http.js POSTER DIRECTORY --unguarded
 *		of a POSTER that was built without its guards: prints what became
 *		of a redirect, of servers that nobody vouches for, of a name server
 *		that does not answer
 *
 * POSTER is tests/tool/poster.c.  In DIRECTORY are ca.pem; good.pem and good.key, for
 * localhost and 127.0.0.1; wrong.pem and wrong.key, of the same CA for another name;
 * alone.pem and alone.key, which no CA has signed.
 */
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const readline = require('node:readline');
const { spawn } = require('node:child_process');
const { check, is, say_counts } = require('./promises.js');

const [POSTER, DIRECTORY, MODE] = process.argv.slice(2);
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const TOKEN = 'the-bearer-token', PASSWORD = 'the-password', API_KEY = 'the-api-key';
const LATER_MS = 30000;	/* by then anything is done */

const file = (name) => path.join(DIRECTORY, name);
const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

/* --- the servers --------------------------------------------------------------------- */

const asked = [];		/* every request: {url, method, headers, body, ...} */
const gathered = [];
let sockets = 0;

function known(socket)
{
	socket.number ??= ++sockets;
	socket.on('error', () => {});
}

/* What happens at a path; the default is 200. */
const places = {
	status(url, request, response)
	{
		const headers = {};

		for (const [name, value] of url.searchParams)
			headers[name] = value;
		response.writeHead(Number(url.pathname.split('/')[2]), headers);
		response.end('so it is');
	},
	/* Nobody is answered before all are here. */
	together(url, request, response)
	{
		gathered.push(response);
		if (gathered.length === Number(url.pathname.split('/')[2]))
			for (const one of gathered.splice(0))
				one.end('together');
	},
	never()
	{
	},
	reset(url, request, response)
	{
		response.writeHead(200, { 'content-length': 1000 });
		response.write('half of it', () => setTimeout(() =>
		    response.destroy(), 50));
	},
	hangup(url, request)
	{
		request.socket.destroy();
	},
	/* What came, behind so many x. */
	echo(url, request, response)
	{
		response.end('x'.repeat(Number(url.pathname.split('/')[2])) +
		    JSON.stringify(request.headers));
	},
	drip(url, request, response)
	{
		response.writeHead(200);
		const timer = setInterval(() => response.write('.'), 50);
		response.on('close', () => clearInterval(timer));
	},
	endless(url, request, response)
	{
		const more = () => {
			while (!response.destroyed && response.write(Buffer.alloc(65536, 'x')))
				;
		};

		response.writeHead(Number(url.pathname.split('/')[2] ?? 200));
		response.on('drain', more);
		response.on('error', () => {});
		more();
	},
	long(url, request, response)
	{
		response.end(Buffer.from('0123456789abcdef'.repeat(4096)));
	},
	gzip(url, request, response)
	{
		response.writeHead(200, { 'content-encoding': 'gzip' });
		response.end('not gzip at all');
	},
	cookie(url, request, response)
	{
		response.writeHead(200, { 'set-cookie': 'a=b; path=/' });
		response.end();
	},
	interim(url, request, response)
	{
		response.writeEarlyHints({ 'link': '</x>; rel=preload', 'retry-after': '77' });
		response.writeHead(503);
		response.end();
	},
	redirect(url, request, response)
	{
		response.writeHead(Number(url.pathname.split('/')[2]),
		    { location: `http://127.0.0.1:${ports.trap}/moved` });
		response.end();
	},
};

function answer(request, response)
{
	const url = new URL(request.url, 'http://x');
	const chunks = [];
	const entry = {
		url: request.url, method: request.method,
		headers: request.headers, raw: request.rawHeaders ?? [],
		version: request.httpVersion, tls: request.socket.encrypted === true,
		socket: (request.stream?.session?.socket ?? request.socket).number,
	};
	const word = url.pathname.split('/')[1];

	response.on('error', () => {});
	request.on('error', () => {});
	if (word === 'early') {
		/*
		 * All is said before the body has come.  What comes is read all the same:
		 * closing on it would be a reset, which may overtake the answer.
		 */
		response.writeHead(413);
		response.end('too large');
		request.resume();
		return;
	}
	if (word === 'second-dies') {
		if (request.socket.served) {
			request.once('data', () => request.socket.destroy());
			return;
		}
		request.socket.served = true;
	}
	request.on('data', (chunk) => chunks.push(chunk));
	request.on('end', () => {
		entry.body = Buffer.concat(chunks);
		asked.push(entry);
		if (Object.hasOwn(places, word))
			places[word](url, request, response);
		else
			response.end('fine');
	});
}

/* What no library would say. */
const rude = {
	garbage: 'SSH-2.0-OpenSSH_9.2\r\n',
	old: 'no status line at all\n',
	headers: 'HTTP/1.1 200 OK\r\n' + `X-Long: ${'h'.repeat(1000)}\r\n`.repeat(1000) +
	    'Content-Length: 0\r\n\r\n',
	line: `HTTP/1.1 200 OK\r\nX-Long: ${'h'.repeat(1 << 20)}\r\nContent-Length: 0\r\n\r\n`,
	continues: 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20000),
	status: 'HTTP/1.1 999999 What\r\nContent-Length: 0\r\n\r\n',
	length: 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n',
	nothing: '',
};

function answer_rudely(socket)
{
	known(socket);
	socket.once('data', (bytes) => {
		const word = bytes.toString('latin1').split(' ')[1].slice(1);

		socket.end(rude[word]);
	});
}

const ports = {};

function listen(name, server, each)
{
	if (each !== undefined)
		server.on(each, known);
	return new Promise((go) => server.listen(0, '127.0.0.1', () => {
		ports[name] = server.address().port;
		go();
	}));
}

function cert(name)
{
	return { cert: fs.readFileSync(file(name + '.pem')),
	    key: fs.readFileSync(file(name + '.key')) };
}

let trapped = 0;

async function start()
{
	const plain = http.createServer(answer);
	const closed = net.createServer();

	plain.keepAliveTimeout = 60000;
	plain.requestTimeout = 0;
	await listen('plain', plain, 'connection');
	await listen('h2', http2.createSecureServer({ ...cert('good'), allowHTTP1: true },
	    answer), 'secureConnection');
	await listen('h1', https.createServer(cert('good'), answer), 'secureConnection');
	await listen('wrong', https.createServer(cert('wrong'), answer),
	    'secureConnection');
	await listen('alone', https.createServer(cert('alone'), answer),
	    'secureConnection');
	await listen('rude', net.createServer(answer_rudely));
	await listen('trap', http.createServer((request, response) => {
		trapped++;
		response.end('trapped');
	}), 'connection');
	/* A port where nobody is. */
	await listen('closed', closed);
	await new Promise((go) => closed.close(go));
}

/* --- the courier's side ------------------------------------------------------------------ */

class Poster {
	constructor(ca = file('ca.pem'))
	{
		const proxy = `http://127.0.0.1:${ports.trap}`;

		this.said = '';
		this.next = 0;
		this.waiting = new Map();
		this.program = spawn(POSTER, [ca], {
			stdio: ['pipe', 'pipe', 'pipe'],
			/* None of it is to be looked at. */
			env: { ...process.env, HOME: DIRECTORY, http_proxy: proxy,
			    https_proxy: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy,
			    all_proxy: proxy },
		});
		this.program.stdin.on('error', () => {});
		this.program.stderr.on('data', (bytes) => {
			this.said += bytes;
			process.stderr.write(bytes);
		});
		this.exit = new Promise((go) => this.program.on('close',
		    (code, signal) => go(signal ?? code)));
		this.exit.then(() => {
			for (const { go } of this.waiting.values())
				go([]);
		});
		readline.createInterface({ input: this.program.stdout }).on('line',
		    (line) => {
			const outcome = JSON.parse(line);
			const w = this.waiting.get(outcome.tag);

			this.said += line + '\n';
			w.all.push(outcome);
			if (w.all.length === w.times) {
				this.waiting.delete(outcome.tag);
				w.go(w.all);
			}
		});
	}

	/* All outcomes of one spec, which may be given several times. */
	many(spec)
	{
		const tag = String(this.next++), times = spec.times ?? 1;

		return new Promise((go) => {
			this.waiting.set(tag, { times, all: [], go });
			this.program.stdin.write(JSON.stringify({ tag, ...spec }) + '\n');
		});
	}

	/* The outcome, and what the server has seen meanwhile. */
	async one(spec)
	{
		const before = asked.length;
		const [outcome] = await this.many(spec);

		return { ...outcome, asked: asked.slice(before) };
	}

	stop()
	{
		this.program.stdin.write('stop\n');
		return this.exit;
	}

	end()
	{
		this.program.stdin.end();
		return this.exit;
	}
}

const at = (port, rest) => `http://127.0.0.1:${ports[port]}${rest}`;
const tls_at = (port, rest) => `https://localhost:${ports[port]}${rest}`;

/* --- what is sent --------------------------------------------------------------------------- */

const JSON_TYPE = [['content-type', 'application/json; charset=utf-8']];

/* Without what libcurl and the port say. */
function headers_of(entry)
{
	const all = {};

	for (const [name, value] of Object.entries(entry.headers))
		if (!['host', 'accept', 'content-length'].includes(name))
			all[name] = value;
	return all;
}

const OURS = {
	'user-agent': 'hooklatch/0.1.0',
	'hooklatch-event': '0198c0de-0000-7000-8000-000000000001',
	'hooklatch-hook': '/hooks/shop', 'hooklatch-provider': 'shop',
	'hooklatch-type': 'order.paid', 'hooklatch-attempt': '1',
};

function same_headers(promise, got, wanted)
{
	const sorted = (o) => Object.fromEntries(Object.entries(o).sort());

	is(promise, sorted(got), sorted(wanted));
}

async function what_is_sent(p)
{
	let r = await p.one({ url: at('plain', '/ok'), event_body: '{"a":1}',
	    body_headers: [...JSON_TYPE, ['authorization', 'Bearer stranger'],
		['cookie', 'a=b'], ['x-forwarded-for', '1.2.3.4'], ['host', 'evil.example'],
		['transfer-encoding', 'chunked'], ['content-encoding', 'identity']],
	    trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
	    request_id: 'r1' });

	is('a 200 is done', [r.outcome, r.code, r.retry_after], ['done', 200, 0]);
	is('in words', r.sentence, 'the destination answered 200');
	is('what it says is kept', r.output, 'fine');
	is('the body is the one that came', r.asked[0]?.body.toString(), '{"a":1}');
	is('it is a POST', r.asked[0]?.method, 'POST');
	same_headers('of the sender\'s headers only what says how to read the body travels',
	    headers_of(r.asked[0]), { ...OURS,
		'content-type': 'application/json; charset=utf-8',
		'content-encoding': 'identity', 'x-request-id': 'r1',
		traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' });
	is('the host is the URL\'s', r.asked[0]?.headers.host, `127.0.0.1:${ports.plain}`);

	r = await p.one({ url: at('plain', '/ok'), event_body: 'x', attempt: 7,
	    type: 'a\r\nX-Evil: 1', request_id: 'a\nb', trace: '',
	    body_headers: [['content-type', 'text/a'], ['content-type', 'text/b']] });
	same_headers('what no header can hold is left out, as is a type that is said twice',
	    headers_of(r.asked[0]), { ...OURS, 'hooklatch-type': undefined,
		'hooklatch-attempt': '7' });

	r = await p.one({ url: at('plain', '/ok'), event_body: 'x', body_headers: JSON_TYPE,
	    headers: { 'Content-Type': 'text/plain', 'X-Api-Key': 'plain:' + API_KEY,
		'X-Order': '{body:id} {type}', 'user-agent': 'mine', 'X-Empty': '' } });
	same_headers('the destination\'s headers stand over ours', headers_of(r.asked[0]),
	    { ...OURS, 'content-type': 'text/plain', 'x-api-key': API_KEY,
		'x-order': 'order.paid', 'user-agent': 'mine', 'x-empty': '' });

	r = await p.one({ url: at('plain', '/ok/{body:id}?t={type}'), event_body: '{"id":"a/b?c"}',
	    body: '{"text":"{type}: \\"{body:id}\\"","all":{body},"none":{body:x}}' });
	is('a URL is made of a template', r.asked[0]?.url, '/ok/a%2Fb%3Fc?t=order.paid');
	is('and a body', r.asked[0]?.body.toString(),
	    '{"text":"order.paid: \\"a/b?c\\"","all":{"id":"a/b?c"},"none":null}');
	is('of its own type', r.asked[0]?.headers['content-type'], 'application/json');

	for (const method of ['PUT', 'PATCH', 'DELETE']) {
		r = await p.one({ url: at('plain', '/ok'), method, event_body: 'abc' });
		is(`${method} is sent with the body`, [r.asked[0]?.method,
		    r.asked[0]?.body.toString()], [method, 'abc']);
	}
	for (const method of ['GET', 'HEAD']) {
		r = await p.one({ url: at('plain', '/ok'), method, event_body: 'abc',
		    body_headers: JSON_TYPE });
		is(`${method} is sent without`, [r.outcome, r.asked[0]?.method,
		    r.asked[0]?.body.toString(), r.asked[0]?.headers['content-type'],
		    r.asked[0]?.headers['content-length']],
		    ['done', method, '', undefined, undefined]);
	}

	r = await p.one({ url: at('plain', '/cookie') });
	r = await p.one({ url: at('plain', '/ok') });
	is('no cookie is kept', r.asked[0]?.headers.cookie, undefined);
	is('no .netrc is read', r.asked[0]?.headers.authorization, undefined);
	is('and no proxy is used', trapped, 0);
}

/* --- bodies, byte for byte ---------------------------------------------------------------------- */

async function bodies(p)
{
	const sizes = { 'no bytes': 0, '7 KB': 7000, '200 KB': 200 * 1024,
	    '25 MB': 25 * 1024 * 1024 };

	for (const [says, size] of Object.entries(sizes)) {
		const bytes = crypto.randomBytes(size), name = file('body');

		fs.writeFileSync(name, bytes);
		for (const url of [at('plain', '/ok'), tls_at('h1', '/ok'),
		    tls_at('h2', '/ok')]) {
			const r = await p.one({ url, body_file: name, timeout: LATER_MS });

			check(`a body of ${says} arrives as it is at ${url}`,
			    r.outcome === 'done' && r.asked.length === 1 &&
			    r.asked[0].body.length === size &&
			    sha256(r.asked[0].body) === sha256(bytes), r.sentence);
			is('with its length and without waiting', [
			    r.asked[0]?.headers['content-length'], r.asked[0]?.headers.expect,
			    r.asked[0]?.headers['transfer-encoding']],
			    [String(size), undefined, undefined]);
		}
	}
	for (const size of [0, 7000, 200 * 1024]) {
		const text = 'a\u00e4\u0000"\\'.repeat(size / 8);
		const r = await p.one({ url: at('plain', '/ok'), event_body: text });

		is(`one of ${size} bytes in memory as well`, r.asked[0]?.body.toString(), text);
	}

	/* A kept connection that dies under a body: it is sent again, from its beginning. */
	const small = file('small'), name = file('body');

	fs.writeFileSync(small, crypto.randomBytes(7000));
	await p.one({ url: at('plain', '/second-dies'), body_file: small });
	const r = await p.one({ url: at('plain', '/second-dies'), body_file: small });

	check('over a kept connection that is dead it is sent anew, whole',
	    r.outcome === 'done' && r.asked.length === 1 &&
	    sha256(r.asked[0].body) === sha256(fs.readFileSync(small)), r);

	const short = await p.one({ url: at('plain', '/ok'), body_file: name,
	    size: 26 * 1024 * 1024 });

	is('a file that is shorter than it was is not sent as if it were whole',
	    [short.outcome, short.code, short.sentence],
	    ['later', -1, 'the body could not be read from its file']);
	const early = await p.one({ url: at('plain', '/early'), body_file: name,
	    timeout: LATER_MS });

	is('who refuses a body before it has come is heard', [early.outcome, early.code],
	    ['dead', 413]);
}

/* --- the signature, by the official library ------------------------------------------------------- */

async function signatures(p)
{
	const { Webhook } = require('standardwebhooks');
	const large = file('large.json');
	const cases = [
		['in memory', { event_body: '{"a":"\u00e4"}' }],
		['made of a template', { event_body: '{"a":1}', body: '{"got":{body:a}}' }],
		['of 25 MB in a file', { body_file: large, timeout: LATER_MS }],
	];

	fs.writeFileSync(large, JSON.stringify({ x: 'y'.repeat(25 << 20) }));
	for (const [says, spec] of cases) {
		const r = await p.one({ url: at('plain', '/ok'), sign: 'plain:' + SECRET,
		    ...spec });
		const text = r.asked[0]?.body.toString() ?? '';
		const headers = r.asked[0]?.headers ?? {};
		const holds = (secret, body) => {
			try {
				new Webhook(secret).verify(body, headers);
				return true;
			} catch {
				return false;
			}
		};

		check(`the library takes the signature of a body ${says}`,
		    holds(SECRET, text), r.sentence);
		check('and not of another body', !holds(SECRET, text + ' '));
		check('nor by another secret', !holds('whsec_' +
		    Buffer.alloc(24, 1).toString('base64'), text));
		is('its id is the event\'s', headers['webhook-id'], OURS['hooklatch-event']);
	}

	let r = await p.one({ url: at('plain', '/ok'), event_body: 'x',
	    sign: 'plain:' + SECRET, headers: { 'webhook-signature': 'v1,mine' } });

	check('a header of the destination does not stand over it',
	    r.asked[0]?.headers['webhook-signature'] !== 'v1,mine');
	for (const [says, sign] of [['no base64', 'plain:whsec_!!!!'],
	    ['too short', 'plain:whsec_AAAA'], ['another form', 'plain:secret'],
	    ['not there', 'env:NOWHERE']]) {
		r = await p.one({ url: at('plain', '/ok'), event_body: 'x', sign });
		is(`a key that is ${says} is the operator's to mend`,
		    [r.outcome, r.code, r.asked.length], ['later', -1, 0]);
	}

	r = await p.one({ url: at('plain', '/ok'), bearer: 'plain:' + TOKEN });
	is('a bearer', r.asked[0]?.headers.authorization, 'Bearer ' + TOKEN);
	r = await p.one({ url: at('plain', '/ok'), basic: 'plain:user:' + PASSWORD,
	    headers: { Authorization: 'mine' } });
	is('a user and password', r.asked[0]?.headers.authorization,
	    'Basic ' + Buffer.from('user:' + PASSWORD).toString('base64'));
	for (const spec of [{ basic: 'plain:' + PASSWORD }, { bearer: 'env:NOWHERE' },
	    { bearer: 'plain:' + TOKEN + '\r\nX: y' }, { headers: { 'X-A': 'env:NOWHERE' } }]) {
		r = await p.one({ url: at('plain', '/ok'), ...spec });
		is(`${Object.keys(spec)[0]}: one that is wrong is not sent`,
		    [r.outcome, r.asked.length], ['later', 0]);
	}
}

/* Answers are kept, and some hold what was sent. */
async function echoes(p)
{
	const base64 = Buffer.from('user:' + PASSWORD).toString('base64');

	/* The answer is cut at 4,096 bytes: before, behind and everywhere in the secret. */
	const cuts = [0, 3000];

	for (let n = 3760; n < 3880; n += 2)
		cuts.push(n);
	for (const before of cuts)
		for (const [says, spec, secrets] of [
		    ['bearer', { bearer: 'plain:' + TOKEN }, [TOKEN]],
		    ['basic', { basic: 'plain:user:' + PASSWORD }, [PASSWORD, base64]],
		    ['headers', { headers: { 'X-Api-Key': 'plain:' + API_KEY } }, [API_KEY]],
		    ['all stars', { bearer: 'plain:********' }, []]]) {
			const r = await p.one({ url: at('plain', '/echo/' + before), ...spec });

			check(`${says} in an answer is not kept (${before})`,
			    r.outcome === 'done' && r.output.includes('hooklatch') &&
			    secrets.every((x) => !r.output.includes(x.slice(0, 4))),
			    r.output.slice(-200));
		}
}

/* --- what is not sent ------------------------------------------------------------------------------- */

async function never_sent(p)
{
	const cases = [
		['dead', { url: at('plain', '/a/{body:up}/b') }, 'the URL: '],
		['dead', { url: at('plain', '/a/{body:none}') }, 'the URL: '],
		['dead', { url: at('plain', '/?{body}'), event_body: 'x'.repeat(9000) },
		    'the URL: '],
		['dead', { url: at('plain', '/'), headers: { 'X-A': '{body:lines}' } },
		    'the header X-A: '],
		['dead', { url: at('plain', '/'), body: '{body}', body_file: file('body') },
		    'the body: the body is over 256 KiB'],
		['dead', { url: at('plain', '/{body:id}'), body_file: file('body') },
		    'the URL: the body is over 256 KiB'],
		['later', { url: at('plain', '/'), method: 'CONNECT' }, 'the method is none'],
		['later', { url: at('plain', '/'), method: 'GET /x HTTP/1.1\r\nX: y' },
		    'the method is none'],
		['later', { url: 'http://{body:host}/' }, 'the URL: no word may stand'],
		['later', { url: 'file:///etc/passwd' }, 'http: the secret was not read'],
		['later', { url: 'gopher://127.0.0.1/' }, 'the URL: '],
		['later', { url: at('plain', '/'), body: '{"a":{nonsense}}' }, 'the body: '],
		['later', { url: at('plain', '/'), headers: { 'Content-Length': '5' } },
		    'the header content-length'],
		['later', { url: at('plain', '/'), headers: { 'a\r\nb': '5' } }, '"a'],
	];

	for (const [outcome, spec, begins] of cases) {
		const r = await p.one({ event_body: spec.body_file === undefined ?
		    '{"up":"..","lines":"a\\r\\nX: y","host":"127.0.0.1"}' : undefined,
		    ...spec });

		is(`${spec.url.slice(0, 60)} ${JSON.stringify(spec.headers ?? spec.body ?? '')}` +
		    ' is not sent', [r.outcome, r.code, r.asked.length], [outcome, -1, 0]);
		check('and it is said why', r.sentence.startsWith(begins), r.sentence);
	}
}

/* --- what is answered ----------------------------------------------------------------------------------- */

async function statuses(p)
{
	const is_done = [200, 201, 202, 204, 206, 299];
	const is_dead = [400, 410, 413, 414, 415, 422];
	const is_later = [300, 304, 401, 402, 403, 404, 405, 406, 408, 409, 411, 412, 418,
	    421, 423, 424, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 507,
	    508, 511, 520, 599];

	for (const [all, outcome] of [[is_done, 'done'], [is_dead, 'dead'],
	    [is_later, 'later']])
		for (const status of all) {
			const r = await p.one({ url: at('plain', '/status/' + status),
			    event_body: 'x' });

			is(`${status} is ${outcome}`, [r.outcome, r.code, r.asked.length],
			    [outcome, status, 1]);
		}

	const hour = new Date(Date.now() + 3600e3).toUTCString();
	const past = new Date(Date.now() - 3600e3).toUTCString();
	const waits = [
		['120', 120000, 120000], ['0', 0, 0], ['99999999', 86400000, 86400000],
		['soon', 0, 0], ['-5', 0, 0], ['1.5', 0, 0], ['18446744073709551617', 0, 0],
		[hour, 3000e3, 3600e3], [past, 0, 0],
	];

	for (const [value, least, most_] of waits)
		for (const status of [429, 503]) {
			const r = await p.one({ url: at('plain', `/status/${status}?retry-after=` +
			    encodeURIComponent(value)) });

			check(`Retry-After: ${value} with ${status}`, r.outcome === 'later' &&
			    r.retry_after >= least && r.retry_after <= most_, r);
		}
	let r = await p.one({ url: at('plain', '/status/200?retry-after=120') });

	is('with 200 nobody waits', r.retry_after, 0);
	r = await p.one({ url: at('plain', '/status/429?retry-after=120') });
	is('what it asks for is said', r.sentence,
	    'the destination answered 429 and asks to wait 120 s');
	r = await p.one({ url: at('plain', '/interim') });
	is('what an interim answer asks for does not count', [r.code, r.retry_after],
	    [503, 0]);

	for (const status of [301, 302, 303, 307, 308]) {
		r = await p.one({ url: at('plain', '/redirect/' + status), event_body: 'x' });
		is(`${status} is not followed`, [r.outcome, r.code, trapped],
		    ['later', status, 0]);
		check('and said to be a redirect', r.sentence.includes('redirects are not followed'),
		    r.sentence);
	}
}

async function faults(p)
{
	const cases = [
		['a closed port', at('closed', '/x?key=hidden'),
		    'was not reached: Connection refused'],
		['a name that is none', 'http://nobody.example/?key=hidden', 'has no address'],
		['one that never answers', at('plain', '/never?key=hidden'),
		    'did not answer in 1 s'],
		['one that never ends', at('plain', '/drip'),
		    'began to answer 200 and was not done in 1 s'],
		['one that breaks off in the middle', at('plain', '/reset'),
		    'answered 200 and broke off in the middle of it'],
		['one that hangs up', at('plain', '/hangup'), 'closed the connection without an answer'],
		['one that closes', at('rude', '/nothing'), 'closed the connection without an answer'],
		['one that speaks SSH', at('rude', '/garbage'), 'is not HTTP'],
		['one that speaks HTTP/0.9', at('rude', '/old'), 'is not HTTP'],
		['headers of 1 MB', at('rude', '/headers'), 'more than 64 KiB of headers'],
		['a header of 1 MB', at('rude', '/line'), 'a header that is too long'],
		['"100 Continue" without end', at('rude', '/continues'),
		    'more than 64 KiB of headers'],
		['a status that is none', at('rude', '/status'), ''],
		['a length that is none', at('rude', '/length'), ''],
		['HTTP on a port of TLS', `http://localhost:${ports.h1}/`, ''],
		['TLS on a port of HTTP', tls_at('plain', '/'), 'was not believed'],
		['a certificate of another name', tls_at('wrong', '/x?key=hidden'),
		    'was not believed, nothing was sent'],
		['a certificate that nobody signed', tls_at('alone', '/'),
		    'was not believed, nothing was sent'],
	];

	await Promise.all(cases.map(async ([says, url, wanted]) => {
		const [r] = await p.many({ url, event_body: 'x',
		    timeout: wanted.endsWith('in 1 s') ? 1000 : LATER_MS });

		is(`${says} is tried later`, [r?.outcome, r?.code], ['later', -1]);
		check(`${says} is named`, r?.sentence.includes(wanted) &&
		    r.sentence.startsWith(new URL(url).host + ' '), r?.sentence);
		check('without the URL', !/hidden|key/.test(r?.sentence), r?.sentence);
	}));
	is('who was not believed was sent nothing', asked.filter((entry) =>
	    entry.url === '/x?key=hidden' && entry.tls).length, 0);

	for (const [status, outcome] of [[200, 'done'], [503, 'later'], [410, 'dead']]) {
		const r = await p.one({ url: at('plain', '/endless/' + status),
		    timeout: LATER_MS });

		is(`an endless answer of ${status} is judged by its status`,
		    [r.outcome, r.code, r.output], [outcome, status, 'x'.repeat(4096)]);
	}
	let r = await p.one({ url: at('plain', '/long') });

	is('of a long one the beginning is kept', r.output,
	    '0123456789abcdef'.repeat(256));
	r = await p.one({ url: at('plain', '/gzip') });
	is('nothing is unpacked', [r.outcome, r.output], ['done', 'not gzip at all']);
	r = await p.one({ url: tls_at('h2', '/endless/200'), timeout: LATER_MS });
	is('the same over HTTP/2', [r.outcome, r.code], ['done', 200]);
}

/* A name server that never answers holds up nobody: poster.c has one. */
async function names(patience)
{
	const p = new Poster();
	const late = new Promise((go) => setTimeout(() => go([{}]), patience).unref());
	const silent = { url: 'http://silent.example/?key=hidden', event_body: 'x' };
	const [r] = await Promise.race([late, p.many({ ...silent, timeout: 1000 })]);

	is('a name that is never found is tried later', [r.outcome, r.sentence],
	    ['later', 'silent.example was not reached in time']);
	const [s] = await Promise.race([late, p.many({ url: at('plain', '/ok') })]);

	is('meanwhile others are sent', s.outcome, 'done');
	p.many({ ...silent, timeout: 60000 });
	p.stop();
	is('and it stops all the same', await Promise.race([late, p.exit]), 0);
	p.program.kill('SIGKILL');
	return r.outcome === 'later';
}

/* --- connections ------------------------------------------------------------------------------------------ */

async function connections(p)
{
	for (const [says, url, version] of [['HTTP/1.1', at('plain', '/ok'), '1.1'],
	    ['HTTP/1.1 over TLS', tls_at('h1', '/ok'), '1.1'],
	    ['HTTP/2', tls_at('h2', '/ok'), '2.0']]) {
		const used = new Set(), versions = new Set();

		for (let i = 0; i < 10; i++) {
			const r = await p.one({ url, event_body: 'x' });

			used.add(r.asked[0]?.socket);
			versions.add(r.asked[0]?.version);
		}
		is(`${says}: ten one after the other use one connection`, used.size, 1);
		is(`and it is ${says}`, [...versions], [version]);
	}

	const before = asked.length;
	const all = await p.many({ url: at('plain', '/together/200'), times: 200,
	    event_body: 'x' });

	is('200 at once all arrive, and none waits for another', all.filter((o) => o.outcome === 'done').length, 200);
	is('each of them once', asked.length - before, 200);
	const over = await p.many({ url: tls_at('h2', '/together/200'), times: 200,
	    event_body: 'x' });

	is('the same over TLS', over.filter((o) => o.outcome === 'done').length, 200);
}

/* More than may be under way, and a stop while they are. */
async function stop_early()
{
	const p = new Poster();
	const given = p.many({ url: at('plain', '/never'), times: 1100, timeout: 60000 });

	p.stop();
	const all = await given;
	const count = (sentence) => all.filter((o) => o.sentence === sentence).length;

	is('of 1,100 at once 1,024 are taken', count('not taken'), 76);
	is('when it stops, those hear it', count('the courier stopped'), 1024);
	check('and may be tried later', all.every((o) => o.outcome === 'later'));
	is('and it stops', await p.exit, 0);
}

async function without_roots()
{
	const p = new Poster(file('nowhere.pem'));
	const r = await p.one({ url: tls_at('h1', '/ok'), event_body: 'x' });

	const believed = (outcome) => outcome.asked.some((entry) => entry.tls);

	check('without its roots nothing is believed', r.outcome === 'later' &&
	    !believed(r) && r.sentence.includes('ca_file'), r.sentence);
	await p.end();
	const q = new Poster('-');
	const s = await q.one({ url: tls_at('h1', '/ok'), event_body: 'x' });

	check('the system\'s roots do not vouch for it', s.outcome === 'later' &&
	    !believed(s), s.sentence);
	await q.end();
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

async function guarded()
{
	const p = new Poster();

	await what_is_sent(p);
	await bodies(p);
	await signatures(p);
	await echoes(p);
	await never_sent(p);
	await statuses(p);
	await faults(p);
	await connections(p);
	is('it ends when its work is done', await p.end(), 0);
	is('nobody else was asked', trapped, 0);
	for (const secret of [SECRET, SECRET.slice(6), TOKEN, PASSWORD, API_KEY, 'hidden'])
		check('no secret is in what was said', !p.said.includes(secret));
	await stop_early();
	await without_roots();
	await names(LATER_MS);
	say_counts();
}

async function unguarded()
{
	const p = new Poster();

	const r = await p.one({ url: at('plain', '/redirect/307'), event_body: 'x' });
	console.log(`redirect ${r.outcome} ${trapped}`);
	for (const name of ['wrong', 'alone']) {
		const s = await p.one({ url: tls_at(name, '/ok'), event_body: 'x' });
		console.log(`${name} ${s.outcome} ${s.asked.length}`);
	}
	await p.end();
	console.log(`names ${await names(4000)}`);
}

start().then(MODE === '--unguarded' ? unguarded : guarded).then(() => process.exit(0),
    (e) => {
	console.log(e.stack);
	process.exit(1);
});
