"""Training runs on drawn images: batches, random changes, optimizers, and runs that resume."""

import json
import os
from dataclasses import replace

import keras
import numpy as np
import pytest
from conftest import TINY, build, write_class_folders

from evaluate import EvaluationError, decode_image, evaluate, fit_image, load_classifier
from illus.dataset.split import split
from illus.files.catalog import scan
from illus.learn import augmentation, optimizers, training
from illus.learn import batches as batches_module
from illus.learn.batches import TrainingBatches, load_arrays, mix
from illus.learn.compiling import compile_for_training, dtype_policy
from illus.learn.networks import multiply_adds
from illus.learn.settings import data_hash
from illus.learn.training import build_network, train


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = write_class_folders(tmp_path_factory.mktemp("data") / "images", n=20)
    return folder, split(scan(folder), fractions={"train": 0.75, "validation": 0.25})


RANDOM = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)


def first_input(channels, image, normalisation="ink"):
    """The input of a network's first convolution, float (height, width, channels)."""
    network = build(len(image), 2, width=4, blocks=(1,), channels=channels, normalisation=normalisation)
    first = next(la for la in network.layers if isinstance(la, keras.layers.Conv2D) and la.trainable)
    return np.asarray(keras.Model(network.input, first.input)(image[None])[0])


def test_colours_are_ink_and_gray_is_their_luma():
    image = np.full((16, 16, 3), (255, 0, 0), np.uint8)
    assert first_input("rgb", image)[8, 8].tolist() == [0, 1, 1]
    np.testing.assert_allclose(first_input("gray", image)[8, 8], [0.587 + 0.114], atol=1e-6)


def test_edges_are_at_the_border_of_ink_and_nowhere_else():
    image = np.full((16, 16, 3), 255, np.uint8)
    image[:, 8:] = 0
    assert first_input("rgb", image, "scale")[8, [0, 15], 0].tolist() == [1, -1]
    assert first_input("rgb", image, "ink")[8, [0, 15], 0].tolist() == [0, 1]
    edges = first_input("edges", image)[:, :, 0]
    np.testing.assert_allclose(edges[4, 7:9], [0.5, 0.5], atol=1e-6)  # the gradient, by Sobel
    assert edges[:, :6].max() == 0, "the border of a white image is no edge"
    np.testing.assert_allclose(first_input("rgb+edges", image)[..., 3], edges, atol=1e-6)


def test_multiply_adds_and_parameters_by_hand_at_either_stride_of_the_stem():
    network = build_network(TINY, 3)
    stem, head = 3 * 9 * 4, 8 * 3
    first, second = 2 * 9 * 4 * 4, 4 * 8 + 9 * 4 * 8 + 9 * 8 * 8
    assert multiply_adds(network) == (stem + first) * 16**2 + second * 8**2 + head
    halved = build_network(replace(TINY, stem_stride=2), 3)
    assert multiply_adds(halved) == (stem + first) * 8**2 + second * 4**2 + head
    normalisations = 4 * (4 + 4 + 4 + 8 + 8)
    assert network.count_params() == stem + first + second + normalisations + head + 3


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the kernel is TensorFlow's")
@pytest.mark.parametrize("normalisation", ["scale", "channel"])
def test_fused_batch_normalisation_computes_what_keras_does(normalisation):
    network = build_network(replace(TINY, normalisation=normalisation), 3)
    fused = training.with_fused_batch_norm(network)
    assert fused is not network
    outputs = [np.asarray(model(RANDOM, training=True)) for model in (network, fused)]
    np.testing.assert_allclose(*outputs, atol=1e-5)
    assert not np.allclose(outputs[1], fused.predict_on_batch(RANDOM), atol=1e-3)
    for mine, theirs in zip(fused.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-3)
    np.testing.assert_allclose(*(m.predict_on_batch(RANDOM) for m in (network, fused)), atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"augmentation": "mild"},
        {"block": "plain"},
        {"block": "squeeze-excite"},
        {"channels": "rgb+edges", "normalisation": "ink"},
        {"mixing": "either", "mixing_share": 0.5},
        {"optimizer": "sgd", "learning_rate": 0.1},
        {"optimizer": "muon", "label_smoothing": 0.1},
        {"ema_momentum": 0.0},
    ],
    ids=str,
)
def test_every_way_of_training_learns(images, tmp_path, changes):
    folder, dataset = images
    config = replace(TINY, **{"epochs": 12, "augmentation": "flip"} | changes)
    record = train(dataset, folder, config, "", tmp_path)
    assert record.val_macro_f1 >= 0.85
    assert record.epochs == 12
    assert record.parameters == build_network(config, 3).count_params()
    result, _, _ = evaluate(folder, record.weights)
    assert result["macro_f1"] >= 0.7, "the classes are in another order"
    for name in ("gray", "sobel", "edges") if "channels" in changes else ():
        models = (build_network(config, 3), load_classifier(record.weights)[0])
        np.testing.assert_array_equal(*(model.get_layer(name).get_weights()[0] for model in models))


def test_muon_makes_orthogonal_steps_of_convolutions_and_none_of_others():
    optimizer = optimizers.Muon(1.0, lambda step: 1.0, weight_decay=0.0, momentum=0.0, nesterov=False)
    rng = np.random.default_rng(0)
    shapes = (3, 3, 4, 8), (3, 3, 4, 8), (1, 1, 4, 8), (8,)  # two of one shape
    variables = [keras.Variable(np.zeros(shape, np.float32)) for shape in shapes]
    optimizer.build(variables)
    gradients = [rng.normal(size=shape).astype("float32") for shape in shapes]
    optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients])
    *kernels, bias = (keras.ops.convert_to_numpy(variable) for variable in variables)
    for kernel, gradient in zip(kernels, gradients, strict=False):
        rows = np.prod(kernel.shape[:-1])
        step = np.linalg.svd(kernel.reshape(-1, 8), compute_uv=False)[: min(rows, 8)]
        np.testing.assert_allclose(step / (0.2 * max(rows, 8) ** 0.5), 1, atol=0.35)
        assert (kernel * gradient).sum() < 0, "it goes against the gradient"
    np.testing.assert_allclose(np.abs(bias), 1, atol=1e-3)  # Adam's first step is the rate


def test_a_network_is_taught_by_others_of_another_size(images, tmp_path):
    folder, dataset = images
    settings = replace(TINY, epochs=12, augmentation="flip")
    good = train(dataset, folder, replace(settings, input_size=24), "", tmp_path)
    wrong = dataset.assign(class_id=(dataset.class_id + 1) % 3)  # labels say nothing of what is taught
    student = train(wrong, folder, replace(settings, teachers=(good.run_id,)), "", tmp_path)
    taught = load_classifier(student.weights)[0]
    assert taught.input_shape[1] == 16
    rows = (dataset.split == "validation").to_numpy()
    shown = load_arrays(dataset, folder, 16, "pad", tmp_path / "cache")[rows]
    predicted = taught.predict(shown, verbose=0).argmax(1)
    assert (predicted == dataset.class_id[rows]).mean() >= 0.85, "it has not learnt what the teacher knows"
    checkpoint = next(student.weights.parent.glob("epoch-*.npz"))
    assert checkpoint.stat().st_size < 12 * 4 * student.parameters, "the teacher is in the checkpoint"


def test_the_loss_of_a_student_is_finite_where_bfloat16_teachers_are_sure():
    """Its logits are far apart, so that a probability rounds to 0, whose logarithm is not finite."""
    config = replace(TINY, input_size=16, precision="mixed_bfloat16", learning_rate=1e-3)
    with dtype_policy(config.precision):
        student = build_network(config, 3)
        student.get_layer("score").kernel.assign(1e4 * np.eye(*student.get_layer("score").kernel.shape))
        teacher = build(24, 3, "residual", width=4, blocks=(1, 1))
        model = compile_for_training(student, config, 4, 24, [teacher])
    images = np.random.default_rng(0).integers(0, 256, (8, 24, 24, 3), np.uint8)
    losses = [model.train_on_batch(images, np.eye(3)[np.arange(8) % 3])[0] for _ in range(3)]
    assert np.isfinite(losses).all()
    assert all(np.isfinite(weight).all() for weight in student.get_weights())


def test_a_stopped_run_resumes_and_ends_like_a_whole_one_of_the_same_seed(images, tmp_path, monkeypatch):
    folder, dataset = images
    whole = train(dataset, folder, TINY, "", tmp_path / "whole")
    begin = training.Checkpoint.on_epoch_begin

    def stop_at_third(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt
        begin(self, epoch, logs)

    monkeypatch.setattr(training.Checkpoint, "on_epoch_begin", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        train(dataset, folder, TINY, "", tmp_path / "parts")
    monkeypatch.setattr(training.Checkpoint, "on_epoch_begin", begin)
    resumed = train(dataset, folder, TINY, "", tmp_path / "parts")
    assert resumed.epochs == 3
    state = json.loads((resumed.weights.parent / "state.json").read_text())
    assert [row["epoch"] for row in state] == [1, 2, 3]
    for a, b in zip(*(load_classifier(r.weights)[0].get_weights() for r in (whole, resumed)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_the_data_hash_sees_every_change(images):
    _, dataset = images
    changes = [
        dataset.iloc[1:],
        dataset.assign(copies=2),
        dataset.assign(split="train"),
        dataset.assign(sha256=dataset.sha256[::-1].to_numpy()),
    ]
    hashes = [data_hash(d) for d in (dataset, *changes)]
    assert len(set(hashes)) == 5
    assert data_hash(dataset.copy()) == hashes[0]


def test_arrays_hold_the_fitted_images_and_are_made_once(images, tmp_path, monkeypatch):
    folder, dataset = images
    arrays = load_arrays(dataset, folder, 16, "pad", tmp_path)
    assert arrays.shape == (len(dataset), 16, 16, 3)
    expected = fit_image(decode_image((folder / dataset.path.iloc[7]).read_bytes()), 16, "pad")
    np.testing.assert_array_equal(arrays[7], expected)
    (cached,) = tmp_path.iterdir()
    os.utime(cached, (1, 1))
    load_arrays(dataset, folder, 16, "pad", tmp_path)
    assert cached.stat().st_mtime == 1
    monkeypatch.setattr(batches_module, "code_of", lambda paths: "another")
    load_arrays(dataset, folder, 16, "pad", tmp_path)
    assert len(list(tmp_path.iterdir())) == 2, "the code that reads has changed"


def test_a_data_set_without_training_images_or_a_missing_teacher_is_one_sentence(images, tmp_path):
    folder, dataset = images
    with pytest.raises(ValueError, match="the data set has no part 'train': too few different images"):
        train(dataset.assign(split="validation"), folder, TINY, "", tmp_path)
    with pytest.raises(EvaluationError, match="no-such-run"):
        train(dataset, folder, replace(TINY, teachers=("no-such-run",)), "", tmp_path)


def test_images_and_classes_are_drawn_in_proportion_to_their_copies():
    """320 images once and 32 three times: 320 to 96. Then every fourth not at all, others up to 3 times."""
    labels, copies = np.repeat([0, 1], [320, 32]), np.repeat([1, 3], [320, 32])
    drawn = TrainingBatches(np.zeros((352, 1)), labels, copies, replace(TINY, batch_size=32)).order
    assert np.bincount(labels[drawn]) == pytest.approx([352 * 320 / 416, 352 * 96 / 416], abs=1)
    copies = np.arange(64) % 4
    batches = TrainingBatches(np.arange(64), np.zeros(64, int), copies, replace(TINY, batch_size=48))
    shown = np.bincount(batches.order, minlength=64)
    np.testing.assert_allclose(shown, copies / 2, atol=1)
    assert shown[copies == 0].sum() == 0


def test_batches_depend_on_seed_epoch_and_step_alone():
    images = np.random.default_rng(0).integers(0, 256, (64, 4, 4, 3), np.uint8)
    config = replace(TINY, mixing="mixup", batch_size=16)
    orders, mixed = [], []
    for seed, epochs in ((0, [0, 1]), (0, [1]), (1, [1]), (0, [2])):
        batches = TrainingBatches(images, np.arange(64) % 2, np.ones(64), replace(config, seed=seed))
        for epoch in epochs:
            batches.start_epoch(epoch)
        orders.append(batches.order.tolist())
        mixed.append(batches[1][0].tolist())
    for drawn in (orders, mixed):
        assert drawn[0] == drawn[1]
        assert drawn[0] not in drawn[2:]
    shares = [set(np.unique(batches[step][1])) - {0, 1} for step in range(2)]
    assert shares[0] != shares[1], "each step mixes in a proportion of its own"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data is TensorFlow's")
def test_tensorflow_gets_the_batches_of_each_epoch_without_autotuning():
    batches = TrainingBatches(np.arange(256, dtype=np.uint8)[:, None], np.arange(256) % 2, np.ones(256), TINY)
    dataset = training.to_tf_dataset(batches)
    assert not dataset.options().autotune.enabled
    assert len(dataset) == len(batches)
    shown = []
    for epoch in (0, 1):
        batches.start_epoch(epoch)
        shown.append([[part.numpy() for part in batch] for batch in dataset])
        for mine, theirs in zip(shown[epoch], (batches[step] for step in range(len(batches))), strict=True):
            for a, b in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(a, b)
    assert (shown[0][0][0] != shown[1][0][0]).any()


@pytest.mark.parametrize(("steps", "expected"), [(None, 5), (3, 3), (11, 11)])
def test_the_steps_of_an_epoch(steps, expected):
    """Of 40 images for training, or as the configuration says; 7 others do not count."""
    copies = np.repeat([1, 0], [40, 7])
    batches = TrainingBatches(np.arange(47), np.arange(47) % 2, copies, replace(TINY, steps_per_epoch=steps))
    assert len(batches) == expected
    assert [len(batches[step][0]) for step in range(expected)] == [8] * expected
    assert np.bincount(batches.order).max() == np.ceil(8 * expected / 40)


@pytest.mark.parametrize("how", ["mixup", "cutmix"])
def test_mixed_images_and_targets_have_the_same_shares(how):
    """Of black and white images the mean says how much of each is in it; targets must say the same."""
    images = np.repeat(np.uint8([0, 255]), 32)[:, None, None, None] * np.ones((1, 16, 16, 3), np.uint8)
    targets = np.repeat(np.eye(2, dtype=np.float32), 32, 0)
    mixed, shares = mix(images, targets, how, np.random.default_rng(3))
    assert mixed.dtype == np.uint8
    white = mixed.mean((1, 2, 3)) / 255
    np.testing.assert_allclose(white, shares[:, 1], atol=0.01)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    assert ((shares[:, 1] > 0.02) & (shares[:, 1] < 0.98)).any(), "no image was mixed"
    if how == "cutmix":
        assert set(np.unique(mixed)) == {0, 255}


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 8, 24), (1.0, 28, 32)])
def test_a_share_of_the_batches_is_mixed_by_either_way(share, least, most):
    """Constant images of their own brightness: mixup leaves them constant, cutmix does not."""
    config = replace(TINY, mixing="either", mixing_share=share, steps_per_epoch=32)
    shades = np.arange(0, 256, 4, dtype=np.uint8)
    images = shades[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    batches = TrainingBatches(images, np.arange(64) % 2, np.ones(64), config)
    parts = [batches[step] for step in range(32)]
    cut = [bool(np.ptp(images, axis=(1, 2)).any()) for images, _ in parts]
    blended = [not np.isin(targets, (0, 1)).all() for _, targets in parts]
    changed = sum(map(max, cut, blended))
    assert least <= changed <= most
    assert (0 < sum(cut) < changed) == (share > 0), "one way alone was used"


def test_the_rate_rises_for_an_epoch_and_then_falls_to_zero():
    share = optimizers.schedule(replace(TINY, epochs=3), steps=10)
    shares = [float(share(step)) for step in (0, 5, 10, 20, 30)]
    np.testing.assert_allclose(shares, [0, 0.5, 1, 0.5, 0], atol=1e-6)


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_an_optimizer_multiplies_its_rate_by_the_schedule(name):
    """With no gradient, only the decay of weights is left: rate x weight decay of each weight."""
    optimizer = optimizers.OPTIMIZERS[name](0.5, lambda step: 0.1 * (1.0 + step), weight_decay=0.2)
    kernel = keras.Variable(np.ones((3, 3, 2, 4), np.float32))
    optimizer.build([kernel])
    left = 1.0
    for step in range(2):
        optimizer.apply([keras.ops.zeros(kernel.shape)])
        left *= 1 - 0.5 * 0.1 * (1 + step) * 0.2
        np.testing.assert_allclose(kernel, left, atol=1e-4)


def squares(n=64):
    """A dark square right of the middle, on white; float32."""
    image = np.full((32, 32, 3), 255, np.float32)
    image[12:20, 18:26] = (200, 40, 40)
    return np.repeat(image[None], n, 0)


def moments(images):
    """Ink of each image, relative to that of the dark square, and its centre, px from the image's."""
    ink = 255 - np.asarray(images).mean(-1)
    place = np.arange(ink.shape[1]) - (ink.shape[1] - 1) / 2
    total = ink.sum((1, 2))
    whole = (255 - squares(1).mean(-1)).sum()
    return total / whole, (ink.sum(1) * place).sum(1) / total, (ink.sum(2) * place).sum(1) / total


NO_MAP = {"rotation": 0, "zoom": (1, 1), "axis_zoom": (1, 1), "shear": 0, "shift": 0, "flip": False}


def test_an_affine_map_without_strength_changes_nothing_but_may_mirror_half_of_the_images():
    images = np.random.default_rng(0).integers(0, 256, (4, 17, 16, 3)).astype("float32")
    layer = augmentation.RandomAffine(**NO_MAP)
    np.testing.assert_allclose(layer(images, training=True), images, atol=0.05)
    np.testing.assert_array_equal(augmentation.RandomAffine(9, (2, 2), (1, 1), 0, 0)(images), images)
    _, x, y = moments(augmentation.RandomAffine(**NO_MAP | {"flip": True})(squares(), training=True))
    np.testing.assert_allclose(np.abs(x), 6, atol=0.05)
    np.testing.assert_allclose(y, 0, atol=0.05)
    assert 16 <= (x < 0).sum() <= 48


@pytest.mark.parametrize(
    ("changes", "size", "x", "y"),
    [
        ({"zoom": (1.5, 1.5)}, (2.25, 2.25), (9, 9), (0, 0)),
        ({"axis_zoom": (0.8, 1.25)}, (0.64, 1.56), (4.8, 7.5), (0, 0)),
        ({"shift": 0.1}, (1, 1), (2.8, 9.2), (-3.2, 3.2)),
        ({"rotation": 30}, (1, 1), (5.19, 6), (-3, 3)),
        ({"shear": 0.3}, (1, 1), (6, 6), (0, 0)),
    ],
    ids=str,
)
def test_affine_maps_stay_within_their_strength_and_reach_it(changes, size, x, y):
    keras.utils.set_random_seed(0)
    seen = moments(augmentation.RandomAffine(**NO_MAP | changes)(squares(128), training=True))
    for values, (low, high) in zip(seen, (size, x, y), strict=True):
        assert low - 0.15 <= values.min() <= low + 0.25 * (high - low) + 0.15
        assert high - 0.25 * (high - low) - 0.15 <= values.max() <= high + 0.15


def test_gathered_and_native_sampling_agree(monkeypatch):
    rng = np.random.default_rng(0)
    images = np.full((4, 16, 16, 3), 255, np.float32)
    images[:, 2:-2, 2:-2] = rng.integers(0, 256, (4, 12, 12, 3))
    maps = rng.normal([1, 0, 0, 0, 1, 0], 0.2, (4, 6)).astype("float32")
    native = np.asarray(augmentation.sample(images, maps))
    monkeypatch.setattr(keras.backend, "backend", lambda: "another")
    gathered = np.asarray(augmentation.sample(images, maps))
    np.testing.assert_allclose(gathered, native, atol=0.05)


NO_COLOURS = {"hue": 0, "saturation": (1, 1), "gray": 0, "contrast": (1, 1), "brightness": 0}


@pytest.mark.parametrize(
    ("changes", "kept", "bound"),
    [
        ({}, lambda x: x, 0.01),
        ({"hue": 30}, lambda x: x.sum(-1), 0.01),
        ({"saturation": (0.2, 1.3)}, lambda x: x @ augmentation.LUMA, 0.01),
        ({"gray": 1.0}, lambda x: x @ augmentation.LUMA, 0.01),
        ({"contrast": (0.7, 1.3)}, lambda x: np.sign(np.round(x - 127.5, 3)), 0),
        ({"brightness": 0.1}, lambda x: np.diff(x, axis=-1), 0.01),
    ],
    ids=["none", "hue", "saturation", "gray", "contrast", "brightness"],
)
def test_each_change_of_colour_keeps_what_it_must(changes, kept, bound):
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).uniform(100, 155, (32, 4, 4, 3)).astype("float32")
    changed = np.asarray(augmentation.RandomColours(**NO_COLOURS | changes)(images, training=True))
    np.testing.assert_allclose(kept(changed), kept(images), atol=bound + 0.01)
    amounts = np.abs(changed - images).mean((1, 2, 3))
    assert (amounts > 0.1).mean() > 0.9 or not changes
    assert len(np.unique(amounts.round(3))) > 20 or not changes
    if changes.get("gray"):
        assert np.ptp(changed, axis=-1).max() < 0.01


NO_FILTERS = dict.fromkeys(("texture", "outlines", "blur", "erase", "posterise", "invert"), 0.0)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", NO_FILTERS)
def test_a_filter_changes_its_share_of_images(name, share):
    keras.utils.set_random_seed(0)
    images = squares(96)
    changed = np.asarray(augmentation.RandomFilters(**NO_FILTERS | {name: share})(images, training=True))
    touched = np.abs(changed - images).max((1, 2, 3)) > 0.5
    missed = 0.9 if name == "erase" else 0.1  # a rectangle on white paper is not seen
    assert touched.mean() <= share + 0.12
    assert touched.mean() >= share * (1 - missed) - 0.12
    if name == "outlines" and share == 1:
        assert (changed[:, 15, 21] > 254).all(), "the inside of a square is no outline"
        assert (changed[:, 12, 20] < 200).all()
    if name == "invert" and share == 1:
        np.testing.assert_allclose(changed, 255 - images, atol=0.01)
    if name == "posterise" and share == 1:
        assert all(len(np.unique(image.round(2))) <= 255 / 32 + 2 for image in changed)


@pytest.mark.parametrize("name", augmentation.AUGMENTATIONS)
def test_augmentation_depends_on_the_seed_alone_and_keeps_shape_and_range(name):
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3)).astype("float32")
    changed = []
    for seed in (1, 1, 2):
        x = images
        for number, layer in enumerate(augmentation.AUGMENTATIONS[name]()):
            if name in ("mild", "strong"):
                layer.seed_generator.state.assign(np.uint32([seed, number]))
            x = layer(x, training=True)
        changed.append(np.asarray(x))
        assert x.shape == images.shape
        assert -1e-3 <= changed[-1].min() < changed[-1].max() <= 255.001
        assert (np.abs(changed[-1] - images).mean() > 1) == (name != "none")
    if name in ("mild", "strong"):
        np.testing.assert_array_equal(changed[0], changed[1])
        assert np.abs(changed[0] - changed[2]).mean() > 1
