"""Security metadata files: their words, reading and changing them without loss, and the linter."""
