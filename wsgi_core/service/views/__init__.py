"""The blueprints of the service, one in each module. Each module exists twice, on wsgi_core and on Flask."""
