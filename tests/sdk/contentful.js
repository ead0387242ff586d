/*
 * contentful.js - Contentful: method, path, the headers that it names, and body.
 *
 * An example carries secret (64 characters); url is the request's.
 */
'use strict';

const { headers, holds, post, PAST_ALONE, READS_NUMBER, EITHER_CASE } =
    require('./lib.js');

const PATH = '/hook?b=2&a=1%202';
const TOPIC = 'X-Contentful-Topic';

module.exports = [{
	provider: 'contentful', sdk: '@contentful/node-apps-toolkit',
	secrets: ['a'.repeat(64), 'b'.repeat(64)],
	header: 'x-contentful-signature', time: 'x-contentful-timestamp',
	stricter: { ...PAST_ALONE, ...READS_NUMBER }, laxer: EITHER_CASE,
	window: 30, signs_url: true, signs_headers: [TOPIC],
	bodies: ['compact', 'pretty', 'newline', 'empty'],
	make(body, at, secret)
	{
		const { signRequest } = require('@contentful/node-apps-toolkit/requests');
		const topic = 'ContentManagement.Entry.save';

		return post(body, { [TOPIC]: topic, ...signRequest(secret, {
			method: 'POST', path: PATH, body, headers: { [TOPIC]: topic },
		}, at) }, { url: 'https://example.com' + PATH });
	},
	verify(request, secret)
	{
		const { verifyRequest } =
		    require('@contentful/node-apps-toolkit/requests');
		const { pathname, search } = new URL(request.url);

		return holds(/^ValidationError: .*(signature|timestamp)|Expired/i,
		    () => verifyRequest(secret, { method: 'POST',
		    path: pathname + search, headers: headers(request),
		    body: request.body }));
	},
	unusable: /SecretLength/,
}];
