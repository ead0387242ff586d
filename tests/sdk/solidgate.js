/*
 * solidgate.js - Solidgate: the body between the public key and itself, and the
 * hex digits of the HMAC once more in base64.
 *
 * An example carries secret (wh_sk_...) and app_key (wh_pk_..., the header
 * merchant).  The SDK has no verifier: its signature of the same body is what the
 * guide has one compare with.
 */
'use strict';

const { header, post } = require('./lib.js');

const KEY = 'wh_pk_4f1c';

module.exports = [{
	provider: 'solidgate', sdk: '@solidgate/node-sdk',
	secrets: ['wh_sk_sharedsecret', 'wh_sk_anothersecret'],
	params: (secret) => ({ secret, app_key: KEY }),
	header: 'signature',
	make: (body, at, secret) => post(body, { merchant: KEY,
	    signature: sign(body, secret) }),
	verify: (request, secret) => header(request, 'merchant') === KEY &&
	    header(request, 'signature') === sign(request.body, secret),
}];

function sign(body, secret)
{
	const { Api } = require('@solidgate/node-sdk');

	return new Api(KEY, secret)._generateSignature(body);
}
