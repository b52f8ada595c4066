"""Carry out the jobs of a measuring process in the process of the test."""

import gc

from loadtests.instrument import worker
from loadtests.instrument.experiment import job


def carry_out(experiments, **pace):
    try:
        return worker.carry_out(job(experiments, **pace))
    finally:
        gc.unfreeze()
        gc.freeze()  # the modules and tests, as before


def bench(experiment, compared=None):
    wanted = experiment.to_json()
    return worker.Bench(wanted, worker.makers_of([wanted]), compared)
