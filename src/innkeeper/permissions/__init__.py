"""Security metadata: who may do what with which folder and file, decided by rules.

``rules`` reads and writes the metadata files, ``policy`` turns them into a tree of access control entries by
the model in ``nt``, ``posix`` and ``stores`` translate that into what a file system enforces, ``engine``
walks and writes, and ``explain`` says which rule is the reason. Nothing here imports Django or needs a
database.
"""
