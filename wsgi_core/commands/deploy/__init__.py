"""The files that put the service into production. ``wsgi-core deploy`` fills in each target's templates."""
