"""Asterisk REST Interface (ARI): its events over a WebSocket, its requests over HTTP.

Goes in: what a call should do next. Comes out: typed events of calls. Knows nothing of menus and conversations.
"""
