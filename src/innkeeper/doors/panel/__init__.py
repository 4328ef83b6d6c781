"""The panel: pages for the administrator, resellers, customers and mail users.

Server-rendered; every page works without a script, and each fragment that htmx asks for is the page's own template.
No rule lives here: views translate forms into operations, and refusals into words beside the field.
"""
