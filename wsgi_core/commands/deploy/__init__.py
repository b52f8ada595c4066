"""``wsgi-core deploy``: write the files with which another program runs the service, such as systemd or Docker."""
