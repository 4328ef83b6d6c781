"""A private instance: everything that one state folder holds, and the programs that run from it."""
