#!/usr/bin/env python3
"""Greets whoever a query or a form names, as CGI programs have done since 1993."""
import html
import os
import sys
from urllib.parse import parse_qs

form = os.environ.get("QUERY_STRING", "")
if os.environ["REQUEST_METHOD"] == "POST":
    # As many bytes as there are, and no more: of the end of stdin RFC 3875 says nothing.
    form = sys.stdin.buffer.read(int(os.environ["CONTENT_LENGTH"])).decode()
name = parse_qs(form).get("name", ["world"])[0]

sys.stdout.reconfigure(encoding="utf-8")
print("Content-Type: text/html; charset=utf-8")
print()
print(f"<p>Hello {html.escape(name)}</p>")
