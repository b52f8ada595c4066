"""A Windows service of the server: `command` for the user, `manager` for the service manager, `host` what it runs."""
