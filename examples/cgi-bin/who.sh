#!/bin/sh
# REMOTE_USER is whom the web server, or the application, has authenticated. Never trust a header for that.
echo 'Content-Type: text/plain'
echo
echo "You are ${REMOTE_USER:-nobody}."
