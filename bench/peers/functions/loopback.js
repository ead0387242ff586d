// The framework listens on every address of the machine.  A bench is for this one
// alone: "node --require" of this file says so to it.

'use strict';

const { Server } = require('node:net');
const listen = Server.prototype.listen;

Server.prototype.listen = function (port, ...rest) {
	return listen.call(this, port, '127.0.0.1', ...rest);
};
