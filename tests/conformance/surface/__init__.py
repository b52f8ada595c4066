"""Every public attribute of Flask's modules, classes and objects, and what the core has in its place.

`walk` lists them, and `test_surface` holds the core to what Flask has: the kind of an attribute, its default, and
whether it can be set, before and after the contexts are pushed. Extensions read, set and override more than Flask's own
tests touch.
"""
