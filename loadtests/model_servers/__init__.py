"""The model churn on other servers of models, each in the form that its own documentation shows.

The files run in environments of their own, made when ``wsgi-core overhead --study served --servers mlserver,...`` asks
for them: nothing here is imported by this project.
"""
