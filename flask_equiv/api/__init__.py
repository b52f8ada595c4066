"""The twins of wsgi_core.api, on Flask."""
