"""The service of `wsgi_core.service`, on Flask."""
