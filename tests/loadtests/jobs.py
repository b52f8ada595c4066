"""Jobs for a measuring process, carried out in this one."""

import gc

from loadtests.instrument import worker
from loadtests.instrument.experiment import job


def carry_out(experiments, **pace):
    try:
        return worker.carry_out(job(experiments, **pace))
    finally:
        gc.unfreeze()


def bench(experiment, compared=None):
    return worker.Bench(experiment.to_json(), compared)
