"""Each study measures what its goals compare."""

from loadtests import studies


def test_every_goal_refers_to_something_that_its_study_measures():
    for study in studies.STUDIES.values():
        contenders = {one.key: {each.name for each in one.contenders} for one in study.experiments}
        contenders |= {load.key: {service.name for service in load.services} for load in study.loads}
        contenders |= {"import_wall": {"wsgi_core", "flask"}, "import_memory": {"wsgi_core", "flask"}}
        for goal in study.goals:
            assert {goal.top, goal.bottom} <= contenders[goal.experiment]
