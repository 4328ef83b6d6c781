"""The NT access model.

Identifiers, entries, descriptors, inheritance and the access check. Pure; no input or output.
"""
