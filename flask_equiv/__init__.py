"""The twin of wsgi_core.service, on Flask."""
