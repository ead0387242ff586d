/*
 * apple-app-store.js - App Store Server Notifications: the body holds a JWS that
 * brings its chain of certificates.
 *
 * An example carries audience (the bundle id).  The root is in the provider's file:
 * the judge gets a copy of it with the root made here.
 */
'use strict';

const crypto = require('node:crypto');
const { edit_member, holds, jws, post, TWICE_A_MEMBER } = require('./lib.js');
const { with_openssl } = require('./openssl.js');

const BUNDLE = 'com.example.app';

let chains;		/* made when they are wanted first */

/* A root, an intermediate and a leaf, with the marks that Apple's have. */
function chain()
{
	return with_openssl(({ openssl, read, write }) => {
		const der = (name) => read(name).replace(/-----[^-]*-----|\s/g, '');
		const issue = (name, by, mark, ca) => {
			write('ext', `basicConstraints=critical,CA:${ca}\n${mark}=ASN1:NULL\n`);
			openssl('req', '-new', '-newkey', 'ec', '-pkeyopt',
			    'ec_paramgen_curve:P-256', '-nodes', '-keyout', name + '.key',
			    '-out', name + '.csr', '-subj', `/CN=${name}`);
			openssl('x509', '-req', '-in', name + '.csr', '-CA', by, '-CAkey',
			    by + '.key', '-CAcreateserial', '-days', '30', '-sha256',
			    '-extfile', 'ext', '-out', name);
		};

		openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt',
		    'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'root.key', '-out',
		    'root', '-days', '30', '-subj', '/CN=root');
		issue('middle', 'root', '1.2.840.113635.100.6.2.1', 'TRUE');
		issue('leaf', 'middle', '1.2.840.113635.100.6.11.1', 'FALSE');
		return { root: read('root'), key: read('leaf.key'),
		    x5c: ['leaf', 'middle', 'root'].map(der) };
	});
}

module.exports = [{
	provider: 'apple-app-store', sdk: '@apple/app-store-server-library',
	get secrets() { return chains ??= [chain(), chain()]; },
	params: () => ({ audience: BUNDLE }),
	file: (text) => text.replace(/"roots": \[[^\]]*\]/,
	    () => `"roots": [${JSON.stringify(chains[0].root)}]`),
	edit: edit_member('signedPayload'), signature: /[^.]+$/,
	stricter: TWICE_A_MEMBER,
	bodies: ['compact'],
	make(text, at, { key, x5c })
	{
		const token = jws({ alg: 'ES256', x5c }, {
			notificationType: 'TEST', notificationUUID: 'n-1',
			version: '2.0', signedDate: at,
			data: { bundleId: BUNDLE, environment: 'Sandbox' },
		}, (input) => crypto.sign('sha256', Buffer.from(input),
		    { key, dsaEncoding: 'ieee-p1363' }).toString('base64url'));

		return post(`{"signedPayload":"${token}","more":true}`, {});
	},
	/* What is signed is in the token: another type of notification. */
	flip: (request) => edit_member('signedPayload')(request, (token) =>
	    [token.replace(/\.[^.]+\./, (claims) => '.' + Buffer.from(
	    Buffer.from(claims, 'base64url').toString().replace('TEST', 'REFUND'))
	    .toString('base64url') + '.')]),
	verify(request, { root })
	{
		const { Environment, SignedDataVerifier, VerificationException } =
		    require('@apple/app-store-server-library');
		const { signedPayload } = JSON.parse(request.body);
		const der = new crypto.X509Certificate(root).raw;

		return holds(/VerificationException/, () =>
		    new SignedDataVerifier([der], false, Environment.SANDBOX, BUNDLE)
		    .verifyAndDecodeNotification(signedPayload)
		    .catch((e) => {
			/* It has neither a name nor a message of its own. */
			throw e instanceof VerificationException ?
			    Object.assign(e, { type: 'VerificationException' }) : e;
		    }));
	},
}];
