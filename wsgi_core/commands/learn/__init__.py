"""The course's exercises: the task of each, and the check that tests a learner's program."""
