"""Keras's own way to predict a folder: ``model.predict`` over ``keras.utils.image_dataset_from_directory``.

In: class folders and a weights file. Out: nothing; its cost is what is measured.
"""

import sys

import keras
from tensorflow import cast

BATCH = 64  # as evaluate.py; Keras would take 32


def main() -> None:
    folder, weights = sys.argv[1:]
    model = keras.models.load_model(weights, compile=False)
    images = keras.utils.image_dataset_from_directory(
        folder,
        label_mode=None,
        image_size=model.input_shape[1:3],
        batch_size=BATCH,
        shuffle=False,
        pad_to_aspect_ratio=True,
        verbose=False,
    )
    model.predict(images.map(lambda x: cast(x, "uint8")), verbose=0)


if __name__ == "__main__":
    main()
