/*
 * ebay.js - eBay: ECDSA with SHA-1, in a header that is base64 of JSON.
 *
 * An example carries public_key (PEM, as the API gives it) and key_id (its kid).
 */
'use strict';

const crypto = require('node:crypto');
const { header, holds, key_pairs, post, TWICE, LOOSE_BASE64, READS_AGAIN } =
    require('./lib.js');

const NAME = 'X-EBAY-SIGNATURE';
const KID = '9936261a-7d7b-4621-a0f1-96ccb428af49';

function pem(key)
{
	return key.export({ type: 'spki', format: 'pem' });
}

module.exports = [{
	provider: 'ebay', sdk: 'event-notification-nodejs-sdk',
	secrets: key_pairs('ec', { namedCurve: 'P-256' }),
	params: ({ publicKey }) => ({ public_key: pem(publicKey), key_id: KID }),
	header: NAME,
	stricter: { ...TWICE, ...LOOSE_BASE64, ...READS_AGAIN },
	edit: (request, change) => ({ ...request, headers: request.headers.flatMap(
	    ([name, value]) => name !== NAME ? [[name, value]] :
	    change(JSON.parse(Buffer.from(value, 'base64')).signature)
	    .map((signature) => [name, wrap(signature)])) }),
	/* Given a parsed body, the SDK writes it again. */
	bodies: ['compact', 'letters'],
	make(body, at, { privateKey })
	{
		const signature = crypto.sign('sha1', Buffer.from(body), privateKey);

		/* One whose base64 is padded: see sendgrid in keys.js. */
		if (signature.length % 3 === 0)
			return this.make(body, at, { privateKey });
		return post(body, { [NAME]: wrap(signature.toString('base64')) });
	},
	verify(request, { publicKey })
	{
		const client = require('event-notification-nodejs-sdk/lib/client');
		const { validateSignature } =
		    require('event-notification-nodejs-sdk/lib/validator');

		/* The key is handed to the SDK where it would fetch it. */
		client.getPublicKey = async () => ({ key: pem(publicKey)
		    .replace(/\n/g, '') });
		return holds(/Parsing falied/, () => validateSignature(
		    JSON.parse(request.body), header(request, NAME), {}));
	},
}];

function wrap(signature)
{
	return Buffer.from(JSON.stringify({ alg: 'ecdsa', kid: KID, signature,
	    digest: 'SHA1' })).toString('base64');
}
