#!/bin/sh
# What follows a program's name in the URL is its PATH_INFO. Nothing there is no page.
if [ -z "$PATH_INFO" ]; then
  echo 'Status: 404 Not Found'
fi
echo 'Content-Type: text/plain'
echo
echo "$SCRIPT_NAME was asked for ${PATH_INFO:-nothing}"
