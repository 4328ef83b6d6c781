"""The two policies of one server: its disk by files in a folder, its hosting accounts by an instance each.

Everything here runs as root and needs neither the panel nor its database.
"""
