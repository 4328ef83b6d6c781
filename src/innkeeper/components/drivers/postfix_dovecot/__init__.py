"""Postfix and Dovecot, which look accounts up in the panel's database through the `svc_*` views."""
