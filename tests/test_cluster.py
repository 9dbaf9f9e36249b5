"""Work on a Dask cluster of two worker processes: the tables of one machine, also when workers are lost."""

import os
import signal

import joblib
import numpy as np
import pytest
from conftest import write_files
from drawings import BROWN, clock, face, fish, house, plant

from evaluate import EvaluationError
from illus import parallel
from illus.copies import compare, duplicates
from illus.files import catalog, descriptors, photo_statistics, reading
from illus.parallel import on_cluster, write_table

pytestmark = pytest.mark.extras
dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster():
    """The address of a scheduler with two workers of one thread; lost workers are started again."""
    limits = {"distributed.comm.timeouts.connect": "2m", "distributed.deploy.lost-worker-timeout": "5m"}
    patient = dask.config.set(limits)  # a new process takes long to start on a busy machine
    with patient, distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as started:
        yield started.scheduler_address


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes, 48 files: drawings, each in several sizes."""
    root = tmp_path_factory.mktemp("cluster") / "images"
    drawings = {"face": face(), "brown": face(BROWN), "fish": fish(), "house": house(), "plant": plant()}
    drawings |= {f"clock {hour}": clock(hour) for hour in (2, 6, 9)}
    for number, (name, image) in enumerate(drawings.items()):
        sides = {side: f"{'AB'[number % 2]}/{name} {side}.png" for side in (120, 110, 100, 90, 80, 70)}
        write_files(root, {path: image.resize((side, side)) for side, path in sides.items()})
    return root


def fatal_once(function, marker):
    """The function, but the first process that calls it dies; this process must not call it."""
    here = os.getpid()

    def call(*args):
        assert os.getpid() != here
        try:
            marker.touch(exist_ok=False)
        except FileExistsError:
            return function(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    return call


def tables(folder, out):
    """What the stages write that spread their work; the bytes of each file by name."""
    out.mkdir()
    files = catalog.scan(folder)
    write_table(files, out / "catalog.csv")
    write_table(duplicates.find_duplicates(files, folder), out / "duplicates.csv")
    statistics, blocks = photo_statistics.photo_statistics([folder / path for path in files.path])
    write_table(statistics, out / "statistics.csv")
    np.save(out / "blocks.npy", blocks)
    described = descriptors.describe_images([folder / path for path in files.path])
    np.save(out / "descriptors.npy", np.asarray(described))
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_tables_are_those_of_one_machine_when_stages_lose_workers(cluster, folder, tmp_path, monkeypatch):
    with joblib.parallel_config("threading"):
        expected = tables(folder, tmp_path / "here")
    assert expected["duplicates.csv"].count(b",near,") >= 30
    fatal = [
        (reading, "read_once"),
        (descriptors, "describe_image"),
        (compare, "_distances"),
        (photo_statistics, "_measure_file"),
    ]
    for module, name in fatal:
        monkeypatch.setattr(module, name, fatal_once(getattr(module, name), tmp_path / name))
    with on_cluster(cluster, folder), distributed.Client(cluster) as client:

        def with_both_workers(**settings):  # with only one core there, joblib would compute here
            client.wait_for_workers(2, timeout=300)
            return joblib.Parallel(**settings)

        monkeypatch.setattr(parallel, "Parallel", with_both_workers)
        assert tables(folder, tmp_path / "there") == expected
    assert all((tmp_path / name).exists() for _, name in fatal)


def test_a_folder_that_workers_do_not_see_is_an_error(cluster, folder, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(EvaluationError, match="does not see the folder elsewhere"),
        on_cluster(cluster, "elsewhere"),
    ):
        pass


def test_a_scheduler_that_does_not_answer_is_an_error():
    impatient = dask.config.set({"distributed.comm.timeouts.connect": "1s"})
    with impatient, pytest.raises(OSError, match="tcp://127"), on_cluster("tcp://127.0.0.1:9"):
        pass
