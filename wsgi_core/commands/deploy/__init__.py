"""Files that put the service into production: each target's are templates here, filled in by ``wsgi-core deploy``."""
