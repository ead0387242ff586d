/*
 * dropbox-sign.js - Dropbox Sign: a hash of two members, in the JSON that is a
 * field of a multipart body.  Nothing else is covered.
 *
 * An example carries secret (the API key).
 */
'use strict';

const { edit_member, hmac, post, seconds, TWICE_A_MEMBER, EITHER_CASE } =
    require('./lib.js');

const BOUNDARY = 'xYzZY4f1c';

module.exports = [{
	provider: 'dropbox-sign', sdk: '@dropbox/sign',
	secrets: ['324e3b0840f065eb51f3fd63231d0d33', 'daa35d4ed10d27718839e81737065782'],
	edit: edit_member('event_hash'),
	stricter: TWICE_A_MEMBER, laxer: EITHER_CASE,
	bodies: ['compact'],
	make(text, at, secret)
	{
		const time = seconds(at);
		const type = 'account_confirmed';
		const json = JSON.stringify({ event: {
			event_hash: hmac('sha256', secret, time + type, 'hex'),
			event_time: time, event_type: type,
			event_metadata: { related_signature_id: text },
		} });
		const request = post([`--${BOUNDARY}`,
		    'Content-Disposition: form-data; name="json"', '', json,
		    `--${BOUNDARY}--`, ''].join('\r\n'), {});

		request.headers[0][1] = `multipart/form-data; boundary=${BOUNDARY}`;
		return request;
	},
	flip: (request) => ({ ...request, body: request.body.replace(
	    'account_confirmed', 'account_rejected') }),
	verify(request, secret)
	{
		const { EventCallbackHelper, EventCallbackRequest } =
		    require('@dropbox/sign');
		const json = request.body.split('\r\n')[3];

		return EventCallbackHelper.isValid(secret,
		    EventCallbackRequest.init(JSON.parse(json)));
	},
}];
