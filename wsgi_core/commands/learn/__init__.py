"""The course's exercises: what each asks for, and the checks that say whether a learner's program does it."""
