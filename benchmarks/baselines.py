"""HOG features and their nearest neighbour: what a network must beat. Writes results/baselines.csv.

    python -m benchmarks.baselines

Every readable picture of emoji20's training folder is a neighbour; the classes of the two test
folders are those of the most similar one (cosine). HOG: Dalal and Triggs 2005, gray, 64 px.
"""

import time

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from skimage.color import rgb2gray
from skimage.feature import hog
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

from evaluate import (
    ImageDecodeError,
    class_folders,
    decode_image,
    fit_image,
    list_files,
    read_file,
    score,
)
from illus import config


def hog_features(path):
    """HOG vector of one file, float32; None where it cannot be read."""
    try:
        picture = fit_image(decode_image(read_file(path)), 64, "pad")
    except ImageDecodeError:
        return None
    return hog(rgb2gray(picture), pixels_per_cell=(8, 8), cells_per_block=(2, 2)).astype(np.float32)


def load(folder):
    """Features (n, d) and class names (n,) of the readable pictures of a folder."""
    labelled = [(p, name) for name, sub in class_folders(folder).items() for p in list_files(sub)]
    found = Parallel(n_jobs=-1, batch_size=64)(delayed(hog_features)(path) for path, _ in labelled)
    kept = [(f, name) for f, (_, name) in zip(found, labelled, strict=True) if f is not None]
    features, names = zip(*kept, strict=True)
    return normalize(np.array(features)), np.array(names)


def main():
    start = time.perf_counter()
    features, names = load(config.EMOJI20 / "training")
    model = KNeighborsClassifier(1).fit(features, names)
    class_names = sorted(set(names))
    rows = []
    for part in ("test", "test_unseen_style"):
        features, true = load(config.EMOJI20 / part)
        ids = [np.searchsorted(class_names, v) for v in (true, model.predict(features))]
        result = score(*ids, class_names)
        rows.append({"method": "HOG + nearest neighbour", "test_folder": part,
                     "macro_f1": round(result["macro_f1"], 4), "micro_f1": round(result["micro_f1"], 4),
                     "n_images": result["n_images"], "seconds": round(time.perf_counter() - start)})
    table = pd.DataFrame(rows)
    table.to_csv(config.RESULTS / "baselines.csv", index=False, lineterminator="\n")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
