"""``wsgi-core learn``: the exercises of the course, and the checks of a learner's programs."""
