"""Subscribers of what happens elsewhere. Wired in `app.py`; nothing else imports this layer."""
