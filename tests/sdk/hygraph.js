/*
 * hygraph.js - Hygraph: the body inside JSON that is written for the signature.
 *
 * An example carries secret.
 */
'use strict';

const { header, hmac, holds, post, TWICE, NO_CLOCK, READS_NUMBER } =
    require('./lib.js');

const NAME = 'gcms-signature';

module.exports = [{
	provider: 'hygraph', sdk: '@hygraph/utils',
	secrets: ['rCNwyiloY3oJYYkxgpBXaleIiUv5MYlx', 'another-secret-77ab'],
	header: NAME, time: /(?<=t=)\d+/,
	stricter: {
		...TWICE, ...NO_CLOCK, ...READS_NUMBER,
		'sign= made ': 'the SDK does without the name of the part',
	},
	window: 300,
	downgrades: [['sign=', ''], ['env=master', 'env=other']],
	make(body, at, secret)
	{
		const wrapped = JSON.stringify({ Body: body,
		    EnvironmentName: 'master', TimeStamp: at });

		return post(body, { [NAME]: `sign=${hmac('sha256', secret, wrapped,
		    'base64')}, env=master, t=${at}` });
	},
	/* Without a signature the SDK stumbles over the parts of the header. */
	verify: (request, secret) => holds(/Cannot read properties of undefined/,
	    () => require('@hygraph/utils').verifyWebhookSignature({
		rawPayload: request.body, secret,
		signature: header(request, NAME),
	})),
}];
