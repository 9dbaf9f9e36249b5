"""The recipe of the shipped weights: teachers, if it has any, then the networks that are averaged.

In: a recipe of :mod:`illus.learn.plan` and a data set. Out: records of the networks to average.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from illus.learn.experiments import limit_to_profile, run
from illus.learn.plan import Recipe
from illus.learn.settings import Config, Record, data_hash, run_id


def planned_members(recipe: Recipe, data: str) -> list[Config]:
    """The members of a recipe within the profile, with the ids of their teachers on data of a hash."""
    teachers = tuple(run_id(limit_to_profile(teacher), data) for teacher in recipe.teachers)
    return [replace(limit_to_profile(member), teachers=teachers) for member in recipe.members]


def run_recipe(recipe: Recipe, dataset: pd.DataFrame, folder: str | Path, work: Path) -> list[Record]:
    """Train the teachers of a recipe and then its members, each unless that has been done.

    Parameters
    ----------
    recipe : illus.learn.plan.Recipe
    dataset, folder, work
        As for :func:`run`.

    Returns
    -------
    list of Record
        Of the members; their weights files are there.
    """
    members = planned_members(recipe, data_hash(dataset))
    finished = (work / "runs" / run_id(member, data_hash(dataset)) / "model.h5" for member in members)
    if not all(path.exists() for path in finished):
        for teacher in recipe.teachers:
            run(dataset, folder, limit_to_profile(teacher), "teacher", work, with_weights=True)
    return [run(dataset, folder, member, "member", work, with_weights=True) for member in members]
