/*
 * plivo.js - Plivo: the URL with its query sorted, the form's fields, and a nonce.
 *
 * An example carries secret (the auth token) and url, which is the hook's and the
 * request's.
 */
'use strict';

const querystring = require('node:querystring');
const { header, hmac, post, TWICE } = require('./lib.js');

const NAME = 'X-Plivo-Signature-V3';

/* "name", between, "value", in order; what came several times by its value */
function sorted(fields, between, separator)
{
	return Object.keys(fields).sort().flatMap((name) => [fields[name]].flat()
	    .sort().map((value) => name + between + value)).join(separator);
}

module.exports = ['', '?b=2&a=1'].map((query) => ({
	provider: 'plivo', sdk: 'plivo', variant: query,
	secrets: ['sharedsecret-4f1c', 'anothersecret-77ab'],
	header: NAME,
	stricter: TWICE,
	bodies: ['form', 'repeated'],
	signs_url: true, signs_headers: [NAME + '-Nonce'],
	several: (...signatures) => signatures.join(','),
	make(body, at, secret)
	{
		const url = 'https://example.com/hook';
		const signed = url + '?' + sorted(querystring.parse(query.slice(1)),
		    '=', '&') + (query && '.') + sorted(querystring.parse(body), '', '');

		return post(body, {
			[NAME]: hmac('sha256', secret, signed + '.12345', 'base64'),
			[NAME + '-Nonce']: '12345',
		}, { url: url + query });
	},
	verify: (request, secret) => require('plivo').validateV3Signature('POST',
	    request.url, header(request, NAME + '-Nonce'), secret,
	    header(request, NAME), querystring.parse(request.body)),
}));
