"""A folder that is named as class folders -> a refusal, if it is the folder above train, val and test.

In: a folder. Out: nothing, or an error.
"""

from pathlib import Path

PARTS = ("train", "val", "test")  # what the names of parts begin with


def check_layout(folder: str | Path) -> None:
    """ValueError if the sub-folders look like parts of a data set, each with class folders, not like classes.

    A part has such a name and holds folders alone. One beside other folders may be a class, so that one is
    enough only where there is nothing else.
    """
    from evaluate import is_system_folder  # slow to load: help comes at once

    folders = (path for path in Path(folder).iterdir() if path.is_dir())
    inside = [path for path in folders if not is_system_folder(path.name)]
    parts = [path for path in inside if path.name.casefold().startswith(PARTS) and _holds_folders_alone(path)]
    if len(parts) > 1 or (parts and len(parts) == len(inside)):
        names = sorted(path.name for path in parts)
        training = next((name for name in names if name.casefold().startswith("train")), names[0])
        raise ValueError(
            f"the sub-folders of {folder}, {', '.join(names)}, look like parts of a data set, not like "
            f"classes; nothing was done. Name one of them, for example {Path(folder, training)}"
        )


def _holds_folders_alone(folder: Path) -> bool:
    from evaluate import JUNK_NAMES, is_system_folder

    names = (path for path in folder.iterdir() if path.name.casefold() not in JUNK_NAMES)
    inside = [path for path in names if not is_system_folder(path.name)]
    return bool(inside) and all(path.is_dir() for path in inside)
