/*
 * truelayer.js - TrueLayer: a detached JWS over method, path, headers and body.
 *
 * An example carries public_key (a JWKS, as TrueLayer publishes one) and issuer; url
 * is the request's.
 */
'use strict';

const { header, headers, holds, key_pairs, post } = require('./lib.js');

const NAME = 'Tl-Signature';
const TIME = 'X-TL-Webhook-Timestamp';
const ISSUER = 'https://webhooks.truelayer.com';

module.exports = [{
	provider: 'truelayer', sdk: 'truelayer-signing',
	secrets: key_pairs('ec', { namedCurve: 'P-521' }),
	params: (pair) => ({ public_key: jwks(pair), issuer: ISSUER }),
	header: NAME, signature: /[^.]+$/,
	time: TIME, signs_url: true, signs_headers: [TIME],
	make(body, at, { privateKey })
	{
		const { sign } = require('truelayer-signing');
		const time = new Date(at).toISOString();

		return post(body, {
			[TIME]: time,
			[NAME]: sign({ kid: 'k1', method: 'POST', path: '/hook', body,
			    headers: { [TIME]: time },
			    privateKeyPem: privateKey.export({ type: 'sec1', format: 'pem' }) }),
		});
	},
	verify(request, pair)
	{
		const { verify } = require('truelayer-signing');
		const { pathname, search } = new URL(request.url);

		return holds(/SignatureError|missing argument|signatures must be/,
		    () => verify({
			jwks: jwks(pair), signature: header(request, NAME),
			method: 'POST', path: pathname + search,
			body: request.body, headers: headers(request),
			requiredHeaders: [TIME],
		}));
	},
}];

function jwks({ publicKey })
{
	return JSON.stringify({ keys: [{ kid: 'k1', alg: 'ES512', use: 'sig',
	    ...publicKey.export({ format: 'jwk' }) }] });
}
