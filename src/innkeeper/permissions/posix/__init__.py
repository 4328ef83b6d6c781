"""The POSIX side: access control lists of Linux file systems, and the translation into them."""
