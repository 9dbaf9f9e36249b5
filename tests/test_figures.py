"""Figures, drawn on axes that the test looks at."""

import numpy as np
from conftest import COLOURS
from matplotlib.figure import Figure

from illus.catalog import scan
from illus.figures import class_gallery


def test_gallery_has_a_row_of_its_own_colour_for_every_class(class_folder_tree):
    axes = Figure().subplots()
    class_gallery(axes, scan(class_folder_tree), class_folder_tree, {"L2_10": "green"}, columns=4, size=20)
    sheet = np.asarray(axes.images[0].get_array())
    assert sheet.shape == (60, 80, 3)
    assert [t.get_text() for t in axes.get_yticklabels()] == ["L2_2", "green", "L2_33"]
    for row, colour in enumerate(COLOURS.values()):
        part = sheet[20 * row : 20 * row + 20].reshape(-1, 3).astype(int)
        assert part.mean(axis=0).argmax() == np.argmax(colour)
