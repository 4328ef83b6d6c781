"""The `bin` utilities: names, commands and options of Plesk's command-line utilities, so that scripts port."""
