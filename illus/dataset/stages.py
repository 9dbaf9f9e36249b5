"""The data set as it was collected, and after each cure: what they are worth in training.

In: the tables of all stages, and the data set that they made. Out: training parts for one validation part.
"""

import pandas as pd

from illus.dataset.split import COLUMNS


def stages_of_cleaning(
    catalog: pd.DataFrame, duplicates: pd.DataFrame, photos: pd.DataFrame, dataset: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Data sets with one validation part, that of ``dataset``, and training images cured step by step.

    ``as collected`` has every readable file, but for the groups of duplicates that validation images are in;
    then ``without copies`` and ``without photographs``, both once an image; ``balanced`` is ``dataset``.
    """
    others = dataset[dataset.split != "train"]
    files = catalog[catalog.error == ""]
    group = files.path.map(duplicates.set_index("path").group.astype(str)).fillna(files.sha256)
    ids = dataset.groupby("class_name").class_id.first()
    files = files.assign(group=group, class_id=files.class_name.map(ids), split="train", copies=1)
    files = files[~group.isin(group[files.path.isin(others.path)])]
    kept = files[~files.path.isin(duplicates.path[~duplicates.keep.astype(bool)])]
    drawings = kept[~kept.path.isin(photos.path[photos.is_photo.astype(bool)])]
    stages = {"as collected": files, "without copies": kept, "without photographs": drawings}
    joined = {
        name: pd.concat([rows[COLUMNS], others]).sort_values("path", ignore_index=True)
        for name, rows in stages.items()
    }
    return joined | {"balanced": dataset}
