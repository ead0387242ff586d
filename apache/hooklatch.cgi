#!/bin/sh
# hooklatch.cgi - tells the handler where its configuration is; a CGI program is
# started without arguments.
exec /usr/local/lib/hooklatch/hooklatch.fcgi -c /etc/hooklatch/hooklatch.json
