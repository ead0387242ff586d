/*
 * promises.js - what google.js and http.js count: promises kept, and those that are not,
 * which are printed.  The last line is for the shell that started them.
 */
'use strict';

let passed = 0, failed = 0;

function check(promise, holds, what)
{
	if (holds) {
		passed++;
		return;
	}
	failed++;
	console.log(`not kept: ${promise}` +
	    (what === undefined ? '' : ` (${JSON.stringify(what)?.slice(0, 600)})`));
}

function is(promise, got, wanted)
{
	check(promise, JSON.stringify(got) === JSON.stringify(wanted), got);
}

function say_counts()
{
	console.log(`${passed} passed ${failed} failed`);
}

module.exports = { check, is, say_counts };
