#!/bin/sh
# Shows what a CGI program is told.
echo 'Content-Type: text/plain'
echo
env | LC_ALL=C sort
