/*
 * adyen.js - Adyen's standard webhooks: an HMAC over eight members, in the body.
 *
 * An example carries secret (hex).
 */
'use strict';

const { edit_member, hmac, holds, post, TWICE_A_MEMBER } = require('./lib.js');

module.exports = [{
	provider: 'adyen', sdk: '@adyen/api-library',
	secrets: ['DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00',
	    '11223344D785FBAE710E7F943F307971BB61B21281C98C9129B3D4018A57B2EB'],
	edit: edit_member('hmacSignature'),
	stricter: TWICE_A_MEMBER,
	bodies: ['compact'],
	make(text, at, secret)
	{
		const signed = ['7914073381342284', '', 'Merchant', 'reference-1', '1130',
		    'EUR', 'AUTHORISATION', 'true'].join(':');

		return post(JSON.stringify({ live: 'false', notificationItems: [{
			NotificationRequestItem: {
				additionalData: {
					hmacSignature: hmac('sha256', Buffer.from(secret, 'hex'),
					    signed, 'base64'),
					note: text,
				},
				pspReference: '7914073381342284',
				merchantAccountCode: 'Merchant',
				merchantReference: 'reference-1',
				eventCode: 'AUTHORISATION',
				success: 'true',
				amount: { currency: 'EUR', value: 1130 },
			},
		}] }), {});
	},
	verify(request, secret)
	{
		const { default: Validator } =
		    require('@adyen/api-library/lib/src/utils/hmacValidator');

		return holds(/Missing hmacSignature/, () => JSON.parse(request.body)
		    .notificationItems.every(({ NotificationRequestItem: item }) =>
		    new Validator().validateHMAC(item, secret)));
	},
}];
