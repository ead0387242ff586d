/*
 * openssl.js - certificates for the adapters that need some: node makes none.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

/* In a directory that is gone afterwards; what run returns. */
function with_openssl(run)
{
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'hooklatch-sdk.'));

	try {
		return run({
			openssl: (...args) => execFileSync('openssl', args,
			    { cwd: dir, stdio: 'pipe' }),
			write: (name, text) => fs.writeFileSync(path.join(dir, name), text),
			read: (name) => fs.readFileSync(path.join(dir, name), 'utf8'),
		});
	} finally {
		fs.rmSync(dir, { recursive: true });
	}
}

module.exports = { with_openssl };
