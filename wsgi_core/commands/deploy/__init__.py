"""``wsgi-core deploy``: write files that run the service with another program, such as systemd, nginx or Docker."""
