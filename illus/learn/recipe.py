"""The recipe of the shipped weights: teachers, then the student that learns from them.

In: a recipe of :mod:`illus.learn.plan` and a data set. Out: records; the student's weights are shipped.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from illus.learn.experiments import limit_to_profile, run
from illus.learn.plan import Recipe
from illus.learn.settings import Config, Record, data_hash, run_id


def planned_student(recipe: Recipe, data: str) -> Config:
    """The student of a recipe within the profile, with the ids of its teachers on data of a hash."""
    teachers = (run_id(limit_to_profile(teacher), data) for teacher in recipe.teachers)
    return replace(limit_to_profile(recipe.student), teachers=tuple(teachers))


def run_recipe(recipe: Recipe, dataset: pd.DataFrame, folder: str | Path, work: Path) -> Record:
    """Train the teachers of a recipe and then its student, each unless that has been done.

    Parameters
    ----------
    recipe : illus.learn.plan.Recipe
    dataset, folder, work
        As for :func:`run`.

    Returns
    -------
    Record
        Of the student; its weights file is there.
    """
    student = planned_student(recipe, data_hash(dataset))
    if not (work / "runs" / run_id(student, data_hash(dataset)) / "model.h5").exists():
        for teacher in recipe.teachers:
            run(dataset, folder, limit_to_profile(teacher), "teacher", work, with_weights=True)
    return run(dataset, folder, student, "student", work, with_weights=True)
