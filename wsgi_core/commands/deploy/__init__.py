"""``wsgi-core deploy``: write the files that put the service into production, from templates for each target."""
