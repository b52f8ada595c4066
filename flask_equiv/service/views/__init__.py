"""The views that are not in `app`, one blueprint per module. Each module exists twice, on wsgi_core and on Flask."""
