#!/bin/sh
# A local redirect: the client gets the answer of another path of this site.
echo 'Location: /cgi-bin/hello.py?name=friend'
echo
