"""Compare every public attribute of Flask's modules, classes and objects with the core's.

`walk` lists the attributes. `test_surface` checks that the core has the same: the kind of an attribute, its default,
and whether it can be set, before and after the contexts are pushed. Extensions read, set and override attributes that
Flask's own tests do not use.
"""
