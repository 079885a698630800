#!/bin/sh
# "nph-": no parsed headers. It begins as HTTP does, and so says its status in a line of HTTP.
echo 'HTTP/1.1 200 Fine, thank you'
echo 'Content-Type: text/plain'
echo
echo "It is $(date -u +%H:%M) here."
