"""A folder that is named as class folders -> a refusal, if it is a folder above these.

In: a folder. Out: nothing, or an error.
"""

from pathlib import Path

PARTS = ("train", "val", "test")  # what the names of parts begin with


def check_layout(folder: str | Path) -> None:
    """ValueError if the sub-folders look like parts of a data set, each with class folders, not like classes.

    A part has such a name and holds folders, and no image beside them. One beside other folders may be a
    class, so that one is enough only where there is nothing else; then its name does not matter.
    """
    from evaluate import is_system_folder  # slow to load: help comes at once

    folders = (path for path in Path(folder).iterdir() if path.is_dir())
    inside = [path for path in folders if not is_system_folder(path.name)]
    outer = [path for path in inside if _holds_folders_and_no_image(path)]
    parts = [path for path in outer if path.name.casefold().startswith(PARTS)]
    if len(parts) > 1 or (parts and len(parts) == len(inside)):
        names = sorted(path.name for path in parts)
        training = next((name for name in names if name.casefold().startswith("train")), names[0])
        what = f"the sub-folders of {folder}, {', '.join(names)}, look like parts of a data set, not classes"
        raise ValueError(f"{what}; nothing was done. Name one of them, for example {Path(folder, training)}")
    if len(inside) == len(outer) == 1:
        what = f"the only sub-folder of {folder}, {outer[0].name}, holds folders and no images"
        raise ValueError(f"{what}; nothing was done. Name {outer[0]}")


def _holds_folders_and_no_image(folder: Path) -> bool:
    from evaluate import could_be_image, is_system_folder

    inside = [path for path in folder.iterdir() if not is_system_folder(path.name)]
    folders = {path for path in inside if path.is_dir()}
    return bool(folders) and not any(could_be_image(path) for path in inside if path not in folders)
