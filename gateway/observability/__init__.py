"""Subscribers of what happens elsewhere. Wired in `app`; nothing else imports this layer."""
