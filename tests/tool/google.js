/*
 * google.js - the courier as a caller of Google's services, against small fakes of them.
 *
 *	node tests/tool/google.js tokens POSTER DIRECTORY
 *		what tokens are asked for, kept, asked for again; prints what is not as
 *		promised, and last "P passed F failed".  POSTER is tests/tool/poster.c; in
 *		DIRECTORY is key.pem, an RSA key
 *	node tests/tool/google.js unguarded POSTER DIRECTORY
 *		of a POSTER that keeps no token and never tries a second one: prints what
 *		became of it
 *	node tests/tool/google.js clients DIRECTORY
 *		the fakes, by Google's own clients; prints as tokens does
 *	node tests/tool/google.js want SOCKET NAME
 *		asks a courier for a secret as a worker would; prints the answer
 *	node tests/tool/google.js fake DIRECTORY PORT [GRPC-PORT TLS-PORT]
 *		the fakes alone, for tests/google.sh; GET /seen, POST /reset and
 *		/secrets (what Secret Manager keeps) are its own; of Pub/Sub also over
 *		gRPC, for tests/pubsub.sh, with tls.key and tls.pem
 */
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');
const path = require('node:path');
const readline = require('node:readline');
const { spawn } = require('node:child_process');
const grpc = require('./grpc.js');
const { check, is, say_counts } = require('./promises.js');

const [MODE, ...REST] = process.argv.slice(2);
const POSTER = MODE === 'tokens' || MODE === 'unguarded' ? REST.shift() : '';
const DIRECTORY = REST[0], WANTED_PORT = Number(REST[1] ?? 0);
const KEY = MODE === 'want' ? '' : fs.readFileSync(path.join(DIRECTORY, 'key.pem'), 'utf8');
const PUBLIC = MODE === 'want' ? null : crypto.createPublicKey(KEY);
const EMAIL = 'hooks@p.iam.gserviceaccount.com';
const CLOUD = 'https://www.googleapis.com/auth/cloud-platform';
const LATER_MS = 60000;	/* by then anything is done */

/* --- the fakes: who hands out tokens -------------------------------------------------- */

let port = 0;
let asked = {};			/* how often, by what */
let stored = [];		/* event ids of messages */
let seen = [];			/* requests of services: {service, token, body, ...} */
let faults = {};		/* by what: a row of faults, the next one first */
let issued = new Map();		/* token -> what it is for */
let life = 3600;		/* s */
let number = 0;

function count(what)
{
	asked[what] = (asked[what] ?? 0) + 1;
}

function fresh()
{
	asked = {};
	stored = [];
	seen = [];
	faults = {};
	life = 3600;
}

function token(facts)
{
	const name = `ya29.token-${++number}`;

	issued.set(name, facts);
	return name;
}

const b64 = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');

function id_token(audience, from)
{
	const now = Math.floor(Date.now() / 1000);
	const text = `${b64({ alg: 'RS256', typ: 'JWT', kid: 'k' })}.${b64({ aud: audience,
	    email: EMAIL, iat: now, exp: now + life, n: ++number })}`;
	const name = `${text}.${crypto.sign('sha256', Buffer.from(text), KEY).toString('base64url')}`;

	issued.set(name, { id: true, audience, from });
	return name;
}

function say(response, status, body, headers = {})
{
	response.writeHead(status, { 'content-type': 'application/json', ...headers });
	response.end(JSON.stringify(body));
}

function error(response, status, word, message = 'so it is')
{
	say(response, status, { error: { code: status, message, status: word } });
}

/* "Is it one?"  Then what a fault does was done. */
function fault(what, response)
{
	const one = faults[what]?.shift();

	if (one === undefined || one === 'ok')
		return false;
	count(`${what} ${one}`);
	switch (one) {
	case '401':
		error(response, 401, 'UNAUTHENTICATED');
		break;
	case '429':
		say(response, 429, { error: { code: 429, status: 'RESOURCE_EXHAUSTED' } },
		    { 'retry-after': '1' });
		break;
	case '503':
		error(response, 503, 'UNAVAILABLE');
		break;
	case 'drop':
		response.destroy();
		break;
	case 'slow':
		setTimeout(() => response.destroy(), LATER_MS).unref();
		break;
	case 'reset':
		response.writeHead(200, { 'content-length': 1000 });
		response.write('{"half":', () => setTimeout(() => response.destroy(), 50));
		break;
	case 'html':
		response.writeHead(200, { 'content-type': 'text/html' });
		response.end('<html>please log in</html>');
		break;
	case '403':
		error(response, 403, 'PERMISSION_DENIED');
		break;
	default:
		error(response, Number(one), 'INTERNAL');
	}
	return true;
}

function metadata(url, request, response)
{
	const flavour = { 'metadata-flavor': 'Google' };

	if (request.headers['metadata-flavor'] !== 'Google')
		return error(response, 403, 'PERMISSION_DENIED');
	if (url.pathname === '/' || url.pathname.endsWith('/instance'))
		return say(response, 200, {}, flavour);
	count('metadata');
	if (fault('metadata', response))
		return undefined;
	if (url.pathname.endsWith('/identity')) {
		response.writeHead(200, flavour);
		response.end(id_token(url.searchParams.get('audience'), 'metadata'));
		return undefined;
	}
	return say(response, 200, { access_token: token({ from: 'metadata',
	    scope: url.searchParams.get('scopes') }), expires_in: life,
	    token_type: 'Bearer' }, faults.stranger ? {} : flavour);
}

/* RFC 7523, as strictly as Google's. */
function by_assertion(form, response)
{
	const parts = form.get('assertion').split('.');
	const claims = JSON.parse(Buffer.from(parts[1], 'base64url'));
	const head = JSON.parse(Buffer.from(parts[0], 'base64url'));
	const now = Date.now() / 1000;

	count('assertion');
	if (head.alg !== 'RS256' || (head.kid ?? 'key-1') !== 'key-1' || parts.length !== 3 ||
	    !crypto.verify('sha256', Buffer.from(`${parts[0]}.${parts[1]}`), PUBLIC,
	    Buffer.from(parts[2], 'base64url')) || claims.iss !== EMAIL ||
	    ![here('/token'), 'https://www.googleapis.com/oauth2/v4/token',
	    'https://oauth2.googleapis.com/token'].includes(claims.aud) || Math.abs(claims.iat - now) > 60 ||
	    claims.exp - claims.iat > 3600)
		return say(response, 400, { error: 'invalid_grant',
		    error_description: 'Invalid JWT Signature.' });
	if (claims.target_audience !== undefined)
		return say(response, 200, { id_token: id_token(claims.target_audience, 'key') });
	return say(response, 200, { access_token: token({ from: 'key', scope: claims.scope }),
	    expires_in: life, token_type: 'Bearer' });
}

function token_endpoint(form, response)
{
	if (fault('token', response))
		return undefined;
	if (form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer')
		return by_assertion(form, response);
	count('refresh');
	if (form.get('grant_type') !== 'refresh_token' || form.get('client_id') !== 'id' ||
	    form.get('client_secret') !== 'the client\'s secret' ||
	    form.get('refresh_token') !== '1//refresh+token/')
		return say(response, 400, { error: 'invalid_grant' });
	return say(response, 200, { access_token: token({ from: 'person' }), expires_in: life,
	    scope: CLOUD, token_type: 'Bearer' });
}

function sts(form, response)
{
	count('sts');
	if (fault('sts', response))
		return undefined;
	if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:token-exchange' ||
	    form.get('requested_token_type') !== 'urn:ietf:params:oauth:token-type:access_token' ||
	    form.get('audience') !== '//iam.googleapis.com/projects/1/p' ||
	    form.get('subject_token_type') !== 'urn:ietf:params:oauth:token-type:jwt' ||
	    !form.get('subject_token')?.startsWith('subject-') || !form.get('scope'))
		return say(response, 400, { error: 'invalid_request' });
	return say(response, 200, { access_token: token({ from: 'sts', scope: form.get('scope'),
	    subject: form.get('subject_token') }), issued_token_type:
	    'urn:ietf:params:oauth:token-type:access_token', expires_in: life,
	    token_type: 'Bearer' });
}

function bearer(request)
{
	return (request.headers.authorization ?? '').replace(/^Bearer /, '');
}

function act_as(url, request, text, response)
{
	const facts = issued.get(bearer(request)), body = JSON.parse(text);

	count('act_as');
	if (facts?.from !== 'sts')
		return error(response, 401, 'UNAUTHENTICATED');
	if (url.pathname.endsWith(':generateIdToken'))
		return say(response, 200, { token: id_token(body.audience, 'act_as') });
	return say(response, 200, { accessToken: token({ from: 'act_as', scope: body.scope[0],
	    subject: facts.subject }), expireTime: new Date(Date.now() +
	    life * 1000).toISOString() });
}

function subject(request, response)
{
	count('subject');
	if (request.headers['x-key'] !== 'k')
		return error(response, 403, 'PERMISSION_DENIED');
	return say(response, 200, { deep: { value: 'subject-by-url' } });
}

/* --- the fakes: services ------------------------------------------------------------------ */

function bad(response, message)
{
	return error(response, 400, 'INVALID_ARGUMENT', message);
}

const only = (o, ...names) => typeof o === 'object' && o !== null &&
    Object.keys(o).every((n) => names.includes(n));

/* What a publisher may ask: whether it may publish.  Of a topic that is not there: nothing. */
function iam(body, response)
{
	if (faults.unknown)
		return error(response, 501, 'UNIMPLEMENTED');
	return say(response, 200, faults.forbidden ? {} : { permissions:
	    body.permissions.filter((p) => p === 'pubsub.topics.publish') });
}

function pubsub(body, response)
{
	const bytes = (body.messages ?? []).reduce((n, m) => n + (m.data ?? '').length * 3 / 4 +
	    Object.entries(m.attributes ?? {}).join('').length, 0);

	if (body.messages?.length > 1000 || bytes > 10000000)
		return bad(response, 'too much');
	if (new Set((body.messages ?? []).map((m) => m.orderingKey ?? '')).size > 1)
		return bad(response, 'ordering keys');
	if (body.messages?.some((m) => m.attributes?.['hooklatch-event-id'] === 'poison')) {
		count('poison');
		return bad(response, 'poison');
	}
	for (const m of body.messages ?? [{}]) {
		const pairs = Object.entries(m.attributes ?? {});

		if (!only(body, 'messages') ||
		    !only(m, 'data', 'attributes', 'orderingKey'))
			return bad(response, 'Unknown name');
		if (Buffer.from(m.data ?? '', 'base64').toString('base64') !== (m.data ?? '') ||
		    (!m.data && pairs.length === 0))
			return bad(response, 'data');
		if (pairs.length > 100 || Buffer.byteLength(m.orderingKey ?? '') > 1024 ||
		    pairs.some(([k, v]) => typeof v !== 'string' || /^goog/.test(k) || k === '' ||
		    Buffer.byteLength(k) > 256 || Buffer.byteLength(v) > 1024))
			return bad(response, 'attributes');
	}
	count('published');
	asked.messages = (asked.messages ?? 0) + body.messages.length;
	for (const m of body.messages)
		stored.push(m.attributes?.['hooklatch-event-id'] ?? '');
	/* An answer that says less than it should is no acknowledgement. */
	return say(response, 200, { messageIds: body.messages.slice(faults.short?.shift() ? 1 : 0)
	    .map(() => `${++number}`) });
}

const tasks = new Set();
function cloud_tasks(body, response)
{
	const task = body.task, ask = task?.httpRequest;

	if (!only(task, 'name', 'httpRequest', 'scheduleTime', 'dispatchDeadline') || !only(ask,
	    'url', 'httpMethod', 'headers', 'body', 'oidcToken') ||
	    !/^projects\/[a-z0-9-]+\/locations\/[a-z0-9-]+\/queues\/[A-Za-z0-9-]+\/tasks\/[A-Za-z0-9_-]{1,500}$/.test(task.name) ||
	    (ask.oidcToken && !ask.oidcToken.serviceAccountEmail))
		return bad(response, 'task');
	if (tasks.has(task.name))
		return error(response, 409, 'ALREADY_EXISTS');
	tasks.add(task.name);
	/* It was queued, and nobody hears of it. */
	if (faults.lost?.shift()) {
		count('tasks lost');
		response.destroy();
		return undefined;
	}
	return say(response, 200, { name: task.name, httpRequest: ask });
}

function bigquery(body, response)
{
	const wrong = faults.rows?.shift();

	for (const row of body.rows ?? [])
		if (typeof row.json !== 'object' || (row.insertId ?? '').length > 128)
			return bad(response, 'rows');
	if (!body.rows?.length)
		return bad(response, 'rows');
	asked['bigquery rows'] = (asked['bigquery rows'] ?? 0) + body.rows.length;
	/* One that does not fit keeps the others out, which are told so. */
	if (body.rows.some((r) => /^bad/.test(r.json.event_id)))
		return say(response, 200, { insertErrors: body.rows.map((r, index) => ({ index,
		    errors: [{ reason: /^bad/.test(r.json.event_id) ? 'invalid' : 'stopped',
		    location: '', message: '' }] })) });
	if (wrong === undefined || wrong === 'ok')
		return say(response, 200, { kind: 'bigquery#tableDataInsertAllResponse' });
	count(`rows ${wrong}`);
	return say(response, 200, { kind: 'bigquery#tableDataInsertAllResponse',
	    insertErrors: [{ index: 0, errors: [{ reason: wrong, location: 'x',
	    message: 'no such field' }] }] });
}

function fcm(body, response)
{
	const m = body.message;
	const targets = ['token', 'fid', 'topic', 'condition'].filter((n) => m?.[n]);

	if (!only(body, 'message', 'validateOnly') || targets.length !== 1 ||
	    Object.values(m.data ?? {}).some((v) => typeof v !== 'string'))
		return bad(response, 'message');
	if (m.token === 'gone')
		return say(response, 404, { error: { code: 404, status: 'NOT_FOUND', message:
		    'Requested entity was not found.', details: [{ '@type':
		    'type.googleapis.com/google.firebase.fcm.v1.FcmError',
		    errorCode: 'UNREGISTERED' }] } });
	return say(response, 200, { name: `projects/p/messages/${++number}` });
}

/* What is kept: by the name of a secret its versions, the first is 1. */
let kept_secrets = {};

const CRC32C = Array.from({ length: 256 }, (_, n) => {
	for (let i = 0; i < 8; i++)
		n = n & 1 ? n >>> 1 ^ 0x82f63b78 : n >>> 1;
	return n >>> 0;
});
const crc32c = (bytes) => (bytes.reduce((crc, b) => crc >>> 8 ^ CRC32C[(crc ^ b) & 255], 0xffffffff) ^
    0xffffffff) >>> 0;

function secret_manager(url, response)
{
	const [, name, version] = url.pathname.match(/^\/v1\/(.*)\/versions\/([^/]+):access$/);
	const all = kept_secrets[name], n = version === 'latest' ? all?.length : Number(version);
	const data = Buffer.from(all?.[n - 1] ?? '');
	const wrong = faults.crc?.shift();

	if (all?.[n - 1] === undefined)
		return error(response, 404, 'NOT_FOUND');
	if (all[n - 1] === null)
		return error(response, 400, 'FAILED_PRECONDITION');
	if (wrong !== undefined)
		count('crc');
	return say(response, 200, { name: `${name}/versions/${n}`, payload: {
	    data: data.toString('base64'), dataCrc32c: `${(crc32c(data) ^ (wrong ? 1 : 0)) >>> 0}` } });
}

const services = [
	[/^\/v1\/projects\/[^/]+\/topics\/[^/]+:testIamPermissions$/, 'iam', iam],
	[/^\/v1\/projects\/[^/]+\/topics\/[^/:]+$/, 'topic', (body, response) =>
	    faults.unknown === 'gone' ? error(response, 404, 'NOT_FOUND') : say(response, 200, {})],
	[/^\/v1\/projects\/[^/]+(\/locations\/[^/]+)?\/secrets\/[^/]+\/versions\/[^/]+:access$/,
	    'secret', null],
	[/^\/v1\/projects\/[^/]+\/topics\/[^/]+:publish$/, 'pubsub', pubsub],
	[/^\/v2\/projects\/[^/]+\/locations\/[^/]+\/queues\/[^/]+\/tasks$/, 'tasks', cloud_tasks],
	[/^\/bigquery\/v2\/projects\/[^/]+\/datasets\/[^/]+\/tables\/[^/]+\/insertAll$/, 'bigquery',
	    bigquery],
	[/^\/v1\/projects\/[^/]+\/messages:send$/, 'fcm', fcm],
	[/^\/run\//, 'run', (body, response) => say(response, 200, {})],
];

function service(url, request, text, response)
{
	const [, name, answer] = services.find(([p]) => p.test(url.pathname)) ?? [];
	const facts = issued.get(bearer(request));

	if (name === undefined)
		return error(response, 404, 'NOT_FOUND');
	count(name);
	seen.push({ service: name, path: url.pathname + url.search, headers: request.headers,
	    facts: facts ?? null, body: text });
	/* An emulator asks nobody who he is. */
	if (!facts && !faults.emulator) {
		count(`${name} stranger`);
		return error(response, 401, 'UNAUTHENTICATED');
	}
	if (fault(name, response))
		return undefined;
	if (name === 'secret')
		return secret_manager(url, response);
	try {
		return answer(name === 'run' ? text : text === '' ? {} : JSON.parse(text), response);
	} catch (e) {
		return bad(response, e.message);
	}
}

/* --- the fakes: X, which is not Google's, and knows us by OAuth 1.0a ------------------------- */

const X = { consumer: { key: 'a consumer/key', secret: 'CONSUMER&SECRET' }, token: 'account-token',
    token_secret: 'TOKEN+SECRET=' };
const nonces = new Set();

/* npm's oauth-1.0a says what the signature should be. */
function is_signed(url, request)
{
	const OAuth = require('oauth-1.0a');
	const said = Object.fromEntries([...(request.headers.authorization ?? '').matchAll(
	    /(oauth_\w+)="([^"]*)"/g)].map(([, name, value]) => [name, decodeURIComponent(value)]));
	const { oauth_signature: signature, ...facts } = said;
	const once = `${facts.oauth_timestamp} ${facts.oauth_nonce}`;
	const wanted = new OAuth({ consumer: X.consumer, signature_method: 'HMAC-SHA1', hash_function:
	    (base, key) => crypto.createHmac('sha1', key).update(base).digest('base64') })
	    .getSignature({ method: request.method, url: here(url.pathname + url.search), data: {} },
	    X.token_secret, facts);

	if (nonces.has(once) || facts.oauth_consumer_key !== X.consumer.key || facts.oauth_token !==
	    X.token || Math.abs(Date.now() / 1000 - facts.oauth_timestamp) > 300)
		return false;
	nonces.add(once);
	return signature === wanted;
}

function x(url, request, text, response)
{
	count('x');
	seen.push({ service: 'x', path: url.pathname, headers: request.headers, body: text });
	if (!is_signed(url, request)) {
		count('x stranger');
		return say(response, 401, { title: 'Unauthorized', status: 401 });
	}
	if (faults.x?.[0] === 'limit') {
		faults.x.shift();
		count('x limit');
		return say(response, 429, { title: 'Too Many Requests' }, { 'x-rate-limit-reset':
		    `${Math.floor(Date.now() / 1000) + 2}` });
	}
	if (fault('x', response))
		return undefined;
	const body = JSON.parse(text);

	if (!only(body, 'text', 'reply') || !/^[0-9]+$/.test(body.reply?.in_reply_to_tweet_id) ||
	    !body.text)
		return say(response, 400, { title: 'Invalid Request' });
	return say(response, 201, { data: { id: `${++number}`, text: body.text } });
}

const server = http.createServer((request, response) => {
	const url = new URL(request.url, 'http://localhost');
	let text = '';

	response.on('error', () => {});
	request.setEncoding('utf8');
	request.on('data', (piece) => text += piece);
	request.on('end', () => {
		if (url.pathname === '/' || url.pathname.startsWith('/computeMetadata/'))
			metadata(url, request, response);
		else if (url.pathname === '/token')
			token_endpoint(new URLSearchParams(text), response);
		else if (url.pathname === '/sts')
			sts(new URLSearchParams(text), response);
		else if (url.pathname.startsWith('/act-as:'))
			act_as(url, request, text, response);
		else if (url.pathname === '/subject')
			subject(request, response);
		else if (url.pathname === '/2/tweets')
			x(url, request, text, response);
		else if (url.pathname === '/seen')
			say(response, 200, { asked, seen, stored });
		else if (url.pathname === '/close') {
			/* Connections that nobody uses; who kept them is not told why. */
			server.closeIdleConnections();
			for (const s of sessions)
				s.destroy();
			say(response, 200, {}, { connection: 'close' });
		} else if (url.pathname === '/reset') {
			fresh();
			faults = text === '' ? {} : JSON.parse(text);
			say(response, 200, {});
		} else if (url.pathname === '/secrets') {
			kept_secrets = JSON.parse(text);
			say(response, 200, {});
		} else
			service(url, request, text, response);
	});
});

/* --- Pub/Sub over gRPC: the same services, by the same faults -------------------------------- */

const CODES = { 400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 500: 13, 501: 12, 503: 14 };
const calls = {
	'/google.pubsub.v1.Publisher/Publish': [(m) => `/v1/${m.topic}:publish`, grpc.publish],
	'/google.pubsub.v1.Publisher/GetTopic': [(m) => `/v1/${m.topic}`, grpc.topic],
	'/google.iam.v1.IAMPolicy/TestIamPermissions': [(m) => `/v1/${m.topic}:testIamPermissions`,
	    grpc.permissions],
};

/* What the fakes of HTTP answer with, as gRPC says it. */
function answer_of(stream)
{
	let status = 200, type = '';

	return {
		writeHead: (n, headers) => {
			status = n;
			type = headers['content-type'] ?? '';
		},
		/* Half of an answer: no trailers follow. */
		write: (text, then) => {
			stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
			stream.write(Buffer.from(text), then);
		},
		destroy: () => stream.session?.destroy(),
		end: (text) => {
			if (type === 'text/html') {
				stream.respond({ ':status': 200, 'content-type': type });
				return stream.end(text);
			}
			const body = JSON.parse(text);

			if (status === 200)
				return grpc.say(stream, 0, '', grpc.answer(body));
			return grpc.say(stream, CODES[status] ?? 2, body.error?.message ?? '');
		},
	};
}

function grpc_stream(stream, headers)
{
	const [path_of, read] = calls[headers[':path']] ?? [];

	stream.on('error', () => {});
	grpc.body_of(stream, (bytes) => {
		if (read === undefined)
			return grpc.say(stream, 12, 'no such method');
		const body = read(bytes);

		return service(new URL(path_of(body), 'http://localhost'), { headers },
		    JSON.stringify({ ...body, topic: undefined }), answer_of(stream));
	});
}

const sessions = new Set();

function grpc_listen(server, at)
{
	server.on('stream', grpc_stream);
	server.on('session', (s) => {
		asked.sessions = (asked.sessions ?? 0) + 1;
		sessions.add(s);
		s.on('close', () => sessions.delete(s));
		s.on('error', () => {});
	});
	return new Promise((go) => server.listen(at, '127.0.0.1', go));
}

/* --- credentials --------------------------------------------------------------------------- */

const here = (p) => `http://127.0.0.1:${port}${p}`;
const account = (more = {}) => ({ type: 'service_account', project_id: 'p', private_key_id: 'key-1',
    private_key: KEY, client_email: EMAIL, client_id: '1', token_uri: here('/token'), ...more });
const person = () => ({ type: 'authorized_user', client_id: 'id', client_secret:
    'the client\'s secret', refresh_token: '1//refresh+token/', token_uri: here('/token') });
const elsewhere = (source, more = {}) => ({ type: 'external_account', audience:
    '//iam.googleapis.com/projects/1/p', subject_token_type:
    'urn:ietf:params:oauth:token-type:jwt', token_url: here('/sts'), credential_source: source,
    ...more });
const by_file = () => ({ file: path.join(DIRECTORY, 'subject') });
const by_url = () => ({ url: here('/subject'), headers: { 'X-Key': 'k' }, format: { type: 'json',
    subject_token_field_name: 'deep.value' } });
const impersonating = () => ({ service_account_impersonation_url:
    here('/act-as:generateAccessToken') });
const plain = (o) => `plain:${JSON.stringify(o)}`;

/* --- the poster --------------------------------------------------------------------------------- */

/* One poster: its lines in, its outcomes out. */
function poster()
{
	const child = spawn(POSTER, ['-'], { stdio: ['pipe', 'pipe', 'inherit'] });
	const waits = new Map();
	let n = 0;

	readline.createInterface({ input: child.stdout }).on('line', (line) => {
		const said = JSON.parse(line), one = waits.get(said.tag);

		one.said.push(said);
		if (one.said.length === one.times)
			one.done(one.said);
	});
	return {
		give: (what, times = 1) => new Promise((done) => {
			const tag = `t${++n}`;

			waits.set(tag, { said: [], times, done });
			child.stdin.write(`${JSON.stringify({ tag, times, url: here('/run/a'),
			    google: 'access', event_body: '{}', ...what })}\n`);
		}),
		end: () => new Promise((done) => {
			child.on('close', (status) => done(status));
			child.stdin.end();
		}),
		stop: () => child.stdin.write('stop\n'),
	};
}

const outcome = (said) => said.map((s) => `${s.outcome} ${s.code}`).join(' ');
const last = () => seen[seen.length - 1];

async function from_everywhere(p)
{
	const t = [
		['the metadata server', { metadata: `127.0.0.1:${port}` }, { from: 'metadata',
		    scope: CLOUD }],
		['a scope is what was asked for', { metadata: `127.0.0.1:${port}`,
		    scope: 'https://www.googleapis.com/auth/pubsub' }, { from: 'metadata',
		    scope: 'https://www.googleapis.com/auth/pubsub' }],
		['a service account\'s key', { credentials: plain(account()) }, { from: 'key',
		    scope: CLOUD }],
		['a person\'s refresh token', { credentials: plain(person()) }, { from: 'person' }],
		['a subject token in a file', { credentials: plain(elsewhere(by_file())) },
		    { from: 'sts', scope: CLOUD, subject: 'subject-by-file' }],
		['a subject token at a URL', { credentials: plain(elsewhere(by_url())) },
		    { from: 'sts', scope: CLOUD, subject: 'subject-by-url' }],
		['another account', { credentials: plain(elsewhere(by_file(), impersonating())) },
		    { from: 'act_as', scope: CLOUD, subject: 'subject-by-file' }],
		['an ID token of the metadata server', { metadata: `127.0.0.1:${port}`,
		    google: 'id', url: here('/run/b?x={id}') }, { id: true,
		    audience: here('/run/b'), from: 'metadata' }],
		['an ID token of a key, for whom one says', { credentials: plain(account()),
		    google: 'id', audience: 'https://own.example' }, { id: true,
		    audience: 'https://own.example', from: 'key' }],
		['an ID token where the path is the event\'s', { credentials: plain(account()),
		    google: 'id', url: here('/run/{type}') }, { id: true, audience: here(''),
		    from: 'key' }],
		['an ID token of another account', { google: 'id', credentials:
		    plain(elsewhere(by_url(), impersonating())) }, { id: true,
		    audience: here('/run/a'), from: 'act_as' }],
	];

	for (const [promise, what, wanted] of t) {
		const said = await p.give(what);

		is(`${promise}: it is sent`, outcome(said), 'done 200');
		is(`${promise}: by the right token`, last()?.facts, wanted);
	}
}

async function kept(p)
{
	fresh();
	is('forty at once', new Set((await p.give({ credentials: plain(account({ n: 1 })) }, 40))
	    .map((s) => `${s.outcome} ${s.code}`)).size, 1);
	is('ask for one token', asked, { assertion: 1, run: 40 });
	await p.give({ credentials: plain(account({ n: 1 })) }, 5);
	is('which is kept', asked, { assertion: 1, run: 45 });
	await p.give({ credentials: plain(account({ n: 1 })), google: 'id' });
	is('another kind is another token', asked.assertion, 2);
	fresh();
	life = 2;	/* half of it is a second */
	await p.give({ credentials: plain(account({ n: 2 })) });
	await p.give({ credentials: plain(account({ n: 2 })) });
	is('a short one is kept while it lives', asked.assertion, 1);
	await new Promise((go) => setTimeout(go, 1100));
	faults.token = ['503'];
	is('if no new one can be had, the old one is used',
	    [outcome(await p.give({ credentials: plain(account({ n: 2 })) })), asked],
	    ['done 200', { assertion: 1, run: 3, 'token 503': 1 }]);
}

async function second(p)
{
	fresh();
	const before = { credentials: plain(account({ n: 3 })) };

	await p.give(before);
	issued.clear();
	const said = await p.give({ ...before, url: here('/run/again') }, 6);

	is('after a 401 a new token, and it is done', new Set(said.map((s) =>
	    `${s.outcome} ${s.code}`)), new Set(['done 200']));
	check('all six', said.every((s) => s.outcome === 'done'), said);
	/* Those that begin when the first is back have the new one from the start. */
	check('by one new token', asked.assertion === 2 && asked['run stranger'] >= 1 &&
	    asked['run stranger'] <= 6, asked);
	faults.run = Array(2).fill('401');
	is('a second 401 is the outcome', outcome(await p.give(before)), 'later 401');
	is('and not asked a third time', asked['run 401'], 2);
}

async function faulty(p)
{
	const t = [
		['503', { credentials: plain(account({ n: 4 })) }, 'token', /answered 503 \(UNAVAILABLE\)/],
		['429', { credentials: plain(person()), scope: 'x1' }, 'token', /answered 429/],
		['html', { credentials: plain(account({ n: 5 })) }, 'token', /without a token/],
		['reset', { credentials: plain(account({ n: 6 })) }, 'token', /127\.0\.0\.1:\d+: /],
		['slow', { credentials: plain(account({ n: 7 })) }, 'token', /did not answer in 10 s/],
		['503', { credentials: plain(elsewhere(by_file(), { n: 8 })) }, 'sts', /answered 503/],
		['503', { metadata: `localhost:${port}` }, 'metadata', /answered 503/],
	];

	fresh();
	for (const [name, what, where, sentence] of t) {
		/* Whose token is kept, and would not meet the fault. */
		await p.give({ credentials: plain(account({ n: 1 })) });
		faults[where] = [name];
		const others = name === 'slow' ? p.give({ credentials: plain(account({ n: 1 })) }) : null;
		const saying = p.give(what);

		if (others !== null)
			is('who waits for a token holds up nobody', outcome(await others), 'done 200');
		const said = await saying;

		is(`${where} ${name}: later`, outcome(said), 'later -1');
		check(`${where} ${name}: a sentence`, sentence.test(said[0].sentence), said[0]);
		is(`${where} ${name}: and then it is sent`, outcome(await p.give(what)), 'done 200');
	}
	is('each fault was met', Object.entries(asked).filter(([n]) => /^(token|sts|metadata) /.test(n)), [
		['token 503', 1], ['token 429', 1], ['token html', 1], ['token reset', 1],
		['token slow', 1], ['sts 503', 1], ['metadata 503', 1]]);
	faults.stranger = true;
	check('who does not say Metadata-Flavor is not believed', /Metadata-Flavor/.test((await p.give(
	    { metadata: `127.0.0.1:${port}`, scope: 'x2' }))[0].sentence));
}

async function wrong(p)
{
	const other = crypto.generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding:
	    { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
	const t = [
		['another\'s key', account({ private_key: other.privateKey }), /answered 400 \(invalid_grant\)/],
		['no key', account({ private_key: 'PRIVATE-TEXT' }), /no RSA key/],
		['no mail', account({ client_email: undefined }), /no "client_email"/],
		['no such type', { type: 'wizard' }, /none of service_account/],
		['a file that is not there', elsewhere({ file: '/nowhere/at-all' }), /subject token/],
		['a source that is not known', elsewhere({ environment_id: 'aws1' }), /neither "file" nor/],
		['no URL', account({ token_uri: 'file:///etc/passwd' }), /begin with https/],
		['nobody there', account({ token_uri: 'http://127.0.0.1:1/' }), /127\.0\.0\.1:1: /],
	];

	fresh();
	for (const [promise, credentials, sentence] of t) {
		const said = await p.give({ credentials: plain(credentials) });

		is(`${promise}: later`, outcome(said), 'later -1');
		check(`${promise}: a sentence`, sentence.test(said[0].sentence), said[0]);
		check(`${promise}: without secrets`, !/PRIVATE|BEGIN|refresh\+token|client's secret/.test(
		    JSON.stringify(said)));
	}
	is('a person has no ID token', /service account/.test((await p.give({ google: 'id',
	    credentials: plain(person()) }))[0].sentence), true);
	is('nothing was sent', seen.length, 0);
	check('no JSON', /no JSON/.test((await p.give({ credentials: 'plain:{' }))[0].sentence));
}

/* The courier stops while a token is on its way: nobody is told too late. */
async function stopped()
{
	const p = poster();

	fresh();
	faults.token = ['slow'];
	const saying = p.give({ credentials: plain(account({ n: 9 })) }, 3);

	while (asked['token slow'] === undefined)
		await new Promise((go) => setTimeout(go, 20));
	p.stop();
	check('who waits for a token when it stops is told so', (await saying).every((s) =>
	    s.outcome === 'later' && /stopped/.test(s.sentence)));
	is('and it ends', await p.end(), 0);
}

/* --- the fakes themselves --------------------------------------------------------------------- */

async function clients()
{
	const { GoogleAuth, UserRefreshClient } = require('google-auth-library');

	process.env.GCE_METADATA_HOST = `127.0.0.1:${port}`;
	process.env.GCE_METADATA_IP = `127.0.0.1:${port}`;
	process.env.NO_GCE_CHECK = 'false';
	process.env.METADATA_SERVER_DETECTION = 'assume-present';
	const facts = async (promise, get, wanted) => {
		let got;

		try {
			got = issued.get(await get()) ?? null;
		} catch (e) {
			got = `${e.message} ${e.stack?.slice(0, 300)}`;
		}
		is(promise, got, wanted);
	};
	/* Of a key its URL is fixed: what it asks there is asked here. */
	const by_key = () => {
		const client = new GoogleAuth().fromJSON(account()), real = client.transporter;

		client.scopes = [CLOUD];
		client.transporter = { defaults: {}, request: (o) => real.request({ ...o, url:
		    `${o.url}`.replace('https://www.googleapis.com/oauth2/v4/token', here('/token')) }) };
		return client;
	};
	const access = (credentials) => new GoogleAuth({ credentials, scopes: [CLOUD] })
	    .getAccessToken();

	await facts('its client takes the fake key\'s token', async () => (await by_key().getAccessToken()).token,
	    { from: 'key', scope: CLOUD });
	await facts('a person\'s', async () => (await new UserRefreshClient({ clientId: 'id',
	    clientSecret: 'the client\'s secret', refreshToken: '1//refresh+token/', endpoints:
	    { oauth2TokenUrl: here('/token') } }).getAccessToken()).token, { from: 'person' });
	await facts('a file\'s', () => access(elsewhere(by_file())), { from: 'sts', scope: CLOUD,
	    subject: 'subject-by-file' });
	await facts('an ID token', () => by_key().fetchIdToken('https://own.example'), { id: true, audience: 'https://own.example', from: 'key' });
	const { Compute } = require('google-auth-library');
	await facts('the metadata server\'s', async () => (await new Compute({ scopes: [CLOUD] })
	    .getAccessToken()).token, { from: 'metadata', scope: CLOUD });
	await facts('and its ID token', () => new Compute().fetchIdToken('https://own.example'),
	    { id: true, audience: 'https://own.example', from: 'metadata' });
	await service_clients(by_key);
}

async function service_clients(by_key)
{
	const { BigQuery } = require('@google-cloud/bigquery');
	const { CloudTasksClient } = require('@google-cloud/tasks');
	const { v1 } = require('@google-cloud/pubsub');
	const { SecretManagerServiceClient } = require('@google-cloud/secret-manager');
	const queue = 'projects/p/locations/l/queues/q';
	const rest = { fallback: true, protocol: 'http', apiEndpoint: '127.0.0.1', port, projectId: 'p',
	    authClient: by_key() };
	const task = { parent: queue, task: { name: `${queue}/tasks/a`, httpRequest: { url: 'https://a.example/',
	    httpMethod: 'POST', headers: { a: 'b' }, body: Buffer.from('hi'), oidcToken: {
	    serviceAccountEmail: EMAIL } } } };
	const table = new BigQuery({ projectId: 'p', apiEndpoint: here(''), authClient: by_key() })
	    .dataset('d').table('t');

	fresh();
	await table.insert([{ a: 1 }]);
	is('BigQuery\'s client inserts a row', [last()?.service, last()?.facts?.from], ['bigquery', 'key']);
	faults.rows = Array(9).fill('invalid');	/* it tries again by itself */
	is('and sees a partial error', await table.insert([{ a: 1 }]).then(() => 'none', (e) => e.name),
	    'PartialFailureError');
	is('Pub/Sub\'s client publishes', (await new v1.PublisherClient(rest).publish({ topic:
	    'projects/p/topics/t', messages: [{ data: Buffer.from('hi'), attributes: { a: 'b' },
	    orderingKey: 'k' }] }))[0].messageIds.length, 1);
	is('and is told of an attribute that is too long', await new v1.PublisherClient(rest).publish({
	    topic: 'projects/p/topics/t', messages: [{ attributes: { a: 'b'.repeat(1025) } }] })
	    .then(() => 'none', (e) => e.message), 'attributes');
	is('Cloud Tasks\' client makes a task', (await new CloudTasksClient(rest).createTask(task))[0].name,
	    task.task.name);
	is('but once', await new CloudTasksClient(rest).createTask(task).then(() => 'none',
	    (e) => e.statusDetails?.length ?? e.message), 'so it is');
	kept_secrets = { 'projects/p/secrets/s': ['old', 's3cret'] };
	const read = async (name) => new SecretManagerServiceClient(rest).accessSecretVersion({ name })
	    .then(([v]) => `${v.name} ${v.payload.data}`, (e) => `${e.code} ${e.message}`);
	is('Secret Manager\'s client has the last version', await read(
	    'projects/p/secrets/s/versions/latest'), 'projects/p/secrets/s/versions/2 s3cret');
	is('and the first', await read('projects/p/secrets/s/versions/1'),
	    'projects/p/secrets/s/versions/1 old');
	check('it is told that there is no third', /NOT_FOUND|so it is/.test(await read(
	    'projects/p/secrets/s/versions/3')));
	faults.crc = [true, true, true];
	check('and sees a checksum that is wrong, or passes it on', await new SecretManagerServiceClient(rest)
	    .accessSecretVersion({ name: 'projects/p/secrets/s/versions/1' }).then(([v]) =>
	    `${v.payload.dataCrc32c}` !== `${crc32c(Buffer.from('old'))}`, (e) => /checksum|crc/i.test(
	    e.message)));
	is('each asked with a token of the fake\'s', seen.map((s) => s.facts?.from).filter((f) =>
	    f !== 'key'), []);
	is('of both the fake saw what was sent', [asked.pubsub, asked.tasks], [2, 2]);
}

/* --- a worker that wants what is not its own (wire.h) ----------------------------------------- */

function want(socket, name)
{
	const HELLO = 1, REFUSED = 5, WANT_SECRET = 8, SECRET = 9, WORKER = 1;
	const VERSION = Number(fs.readFileSync('wire.h', 'utf8').match(/WIRE_VERSION\s+(\d+)/)[1]);
	const u32 = (n) => Buffer.from([n >>> 24, n >>> 16 & 255, n >>> 8 & 255, n & 255]);
	const text = (s) => Buffer.concat([u32(s.length), Buffer.from(s)]);
	const message = (type, ...fields) => Buffer.concat([u32(Buffer.concat(fields).length),
	    Buffer.from([type, VERSION, 0, 0]), ...fields]);
	const c = net.connect(socket);
	let got = Buffer.alloc(0);

	c.write(message(HELLO, Buffer.from([WORKER]), u32(process.pid), text('test')));
	c.write(message(WANT_SECRET, u32(0), u32(7), text(name)));
	c.on('data', (piece) => {
		got = Buffer.concat([got, piece]);
		while (got.length >= 8 && got.length >= 8 + got.readUInt32BE(0)) {
			const type = got[4], body = got.subarray(8, 8 + got.readUInt32BE(0));

			got = got.subarray(8 + body.length);
			if (type === REFUSED)
				console.log(`refused ${body[8]}: ${body.subarray(13)}`);
			else if (type === SECRET)
				console.log(`secret: ${body.subarray(12)}`);
			else
				continue;
			process.exit(0);
		}
	});
	c.on('close', () => process.exit(1));
}

/* --- all together ------------------------------------------------------------------------------- */

async function main()
{
	if (MODE === 'want')
		return want(...REST);
	fs.writeFileSync(path.join(DIRECTORY, 'subject'), `subject-by-file${MODE === 'clients' ? '' : '\n'}`);
	await new Promise((go) => server.listen(WANTED_PORT, '127.0.0.1', go));
	port = server.address().port;
	if (MODE === 'fake') {
		fs.writeFileSync(path.join(DIRECTORY, 'account.json'), JSON.stringify(account()));
		if (REST[2] !== undefined)
			await grpc_listen(http2.createServer(), Number(REST[2]));
		if (REST[3] !== undefined)
			await grpc_listen(http2.createSecureServer({
			    key: fs.readFileSync(path.join(DIRECTORY, 'tls.key')),
			    cert: fs.readFileSync(path.join(DIRECTORY, 'tls.pem')) }), Number(REST[3]));
		console.log('ready');
		return;
	}
	if (MODE === 'clients') {
		await clients();
	} else {
		const p = poster();

		if (MODE === 'unguarded') {
			await p.give({ credentials: plain(account()) });
			await p.give({ credentials: plain(account()) });
			console.log(`assertions ${asked.assertion}`);
			faults.run = ['401'];
			console.log(`after 401 ${outcome(await p.give({ credentials: plain(account()) }))}`);
		} else {
			for (const part of [from_everywhere, kept, second, faulty, wrong, stopped])
				await part(p);
		}
		is('the poster ends by itself', await p.end(), 0);
	}
	if (MODE !== 'unguarded')
		say_counts();
	server.closeAllConnections();
	server.close();
	process.exit(0);
}

main().catch((e) => {
	console.log(`not kept: ${e.stack}`);
	process.exit(1);
});
