"""The commands of the command line, as the client knows them: one module a group."""
