"""The command line: a thin client, and its listener on a UNIX socket of its own.

Whoever can open the socket is the administrator. What runs in the client (`__main__`, `client`, `wire`, `parser`,
`values`, `output`, `commands`, `utilities`) imports neither Django nor lxml, so that a command answers at once.
"""
