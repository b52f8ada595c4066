"""The churn model on other model servers, each written as in the server's own documentation.

The files run in environments of their own, created by ``wsgi-core overhead --study served --servers mlserver,...``.
This project imports none of them.
"""
