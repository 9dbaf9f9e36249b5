"""make data: download, resume, unpack; every URL is on loopback, and every store in memory or on disk."""

import io
import re
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from conftest import files_below

from evaluate import class_folders
from illus.__main__ import main
from illus.files import archive
from illus.files.archive import ArchiveError, copy_from_store, download, unpack

CONTENT = bytes(range(256)) * 4000


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; ``server.cut`` breaks a transfer off after that many bytes."""

    def do_GET(self):
        if self.path == "/missing":
            return self.send_error(404)
        self.server.ranges.append(self.headers.get("Range"))
        start = 0
        if self.headers.get("Range") == f"bytes={len(CONTENT)}-":
            return self.send_error(416)
        if self.headers.get("If-Range") == self.server.etag:
            start = int(re.match(r"bytes=(\d+)-", self.headers["Range"])[1])
        self.send_response(206 if start else 200)
        self.send_header("ETag", self.server.etag)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = self.server.cut or len(CONTENT)
        self.server.cut = None
        self.wfile.write(CONTENT[start:end])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.ranges, http.cut, http.etag = [], None, '"v1"'
        http.url = f"http://127.0.0.1:{http.server_port}/data.zip"
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http
        http.shutdown()


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path


def make_archive(path, kind, files):
    """A ZIP archive, or a TAR archive in a mode of tarfile."""
    if kind == "zip":
        return make_zip(path, files)
    with tarfile.open(path, kind) as file:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["data.zip", "한글 이름.zip?a=1&b=%20", "file"])
def test_a_download_writes_the_file_and_nothing_else(server, tmp_path, name):
    """Also of a URL with Korean and spaces, and of a file."""
    url = server.url.replace("data.zip", name)
    if name == "file":
        (tmp_path / "한글 이름.zip").write_bytes(CONTENT)
        url = (tmp_path / "한글 이름.zip").as_uri()
    download(url, tmp_path / "new" / "a")
    assert files_below(tmp_path / "new") == {"a": CONTENT}


@pytest.mark.parametrize("changed", [False, True])
def test_a_broken_download_resumes_or_starts_again_if_the_file_has_changed(server, tmp_path, changed):
    server.cut = 300_000
    with pytest.raises(ArchiveError, match=r"broke off at 300,000 of 1,024,000 bytes.*resume"):
        download(server.url, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    if changed:
        server.etag = '"v2"'
        (tmp_path / "a.part").write_bytes(b"old" * 100_000)
    download(server.url, tmp_path / "a")
    assert server.ranges == [None, "bytes=300000-"]
    assert files_below(tmp_path) == {"a": CONTENT}


def test_a_complete_part_that_was_not_renamed_is_downloaded_again(server, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT)
    (tmp_path / "a.validator").write_text(server.etag)
    download(server.url, tmp_path / "a")
    assert server.ranges == [f"bytes={len(CONTENT)}-", None]
    assert files_below(tmp_path) == {"a": CONTENT}


@pytest.mark.parametrize("url", ["missing", "file:///nowhere/x.zip", "not an address"])
def test_a_bad_url_is_an_error_and_leaves_no_file(server, tmp_path, url):
    with pytest.raises(ArchiveError, match="cannot download"):
        download(server.url.replace("data.zip", url) if url == "missing" else url, tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("kind", ["zip", "w", "w:gz", "w:xz"])
@pytest.mark.parametrize(
    ("outer", "files"),
    [
        *((outer, {"L2_2/a.png": b"1", "L2_10/한글.png": b"2"}) for outer in ("", "challenge/train/")),
        ("", {"A/1.png": b"1"}),  # the folder of a single class is none
    ],
)
def test_archives_are_unpacked_without_their_outer_folders(tmp_path, kind, outer, files):
    packed = {outer + name: data for name, data in files.items()}
    beside = {"__MACOSX/._x": b"", "README.txt": b""} if outer else {}
    unpack(make_archive(tmp_path / "a", kind, packed | beside), tmp_path / "out")
    assert files_below(tmp_path / "out") == files


@pytest.mark.parametrize(
    "name", [".DS_Store", "Thumbs.db", "._x", "README.txt", "__MACOSX/._x", ".git/x", "@eaDir/x.png"]
)
def test_what_lies_beside_class_folders_does_not_make_the_outer_folder_a_class(tmp_path, name):
    files = {f"images/{name}": b"", "images/A/1.png": b"1", "images/B/deep/2.png": b"2", "r/.hidden": b""}
    unpack(make_zip(tmp_path / "a.zip", files), tmp_path / "out")
    assert set(files_below(tmp_path / "out")) == {name, "A/1.png", "B/deep/2.png"}
    assert sorted(class_folders(tmp_path / "out")) == ["A", "B"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["c/train/L2_2/a.png", "c/test/L2_2/b.png"], "test, train"),
        (["c/train/L2_2/a.png", "c/test/L2_2/b.png", "c/train/.DS_Store", "c/note.txt"], "test, train"),
        (["notes/a.txt", "more/b.txt"], "more, notes"),
    ],
)
def test_folders_of_class_folders_or_without_images_are_not_taken_for_classes(tmp_path, names, found):
    path = make_zip(tmp_path / "a.zip", dict.fromkeys(names, b"1"))
    with pytest.raises(ArchiveError, match=rf"no class folders at the top .* but these folders: {found};"):
        unpack(path, tmp_path / "out")
    assert set(files_below(tmp_path)) == {"a.zip"}


@pytest.mark.parametrize(("letters", "encoding"), [("표정", "utf-8"), ("QQQQ", "cp949"), ("QQQQQQ", "utf-8")])
def test_korean_names_are_decoded(tmp_path, letters, encoding):
    """With the UTF-8 flag; without it in the bytes of Korean Windows, and of tools that forget it."""
    path = make_zip(tmp_path / "a.zip", {f"L2_2/{letters}.png": b"1", "L2_10/b.png": b"2"})
    path.write_bytes(path.read_bytes().replace(letters.encode(), "표정".encode(encoding)))
    unpack(path, tmp_path / "out")
    assert set(files_below(tmp_path / "out")) == {"L2_2/표정.png", "L2_10/b.png"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [*product(["zip", "w"], ["../o.png", "/etc/o.png", "L2_2/../../o.png", "C:/x"]), ("zip", "..\\o.png")],
)
def test_a_path_that_leads_outside_is_refused(tmp_path, kind, name):
    make_archive(tmp_path / "a", kind, {"L2_2/good.png": b"1", name: b"2"})
    with pytest.raises(ArchiveError, match="leads outside"):
        unpack(tmp_path / "a", tmp_path / "inner" / "out")
    assert set(files_below(tmp_path)) == {"a"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, "zip"])
def test_links_and_devices_are_refused(tmp_path, kind):
    if kind == "zip":
        info = zipfile.ZipInfo("L2_2/link")
        info.external_attr = 0o120777 << 16
        make_zip(tmp_path / "a", {info: "/etc/passwd"})
    else:
        with tarfile.open(tmp_path / "a", "w") as file:
            info = tarfile.TarInfo("L2_2/link")
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
    with pytest.raises(ArchiveError, match="a link or a device"):
        unpack(tmp_path / "a", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["zip", "w", "w:gz"])
def test_the_size_limit_counts_unpacked_bytes(tmp_path, kind):
    path = make_archive(tmp_path / "a", kind, {"L2_2/a.png": bytes(1000), "L2_3/b.png": bytes(1000)})
    unpack(path, tmp_path / "fits", max_bytes=2000)
    with pytest.raises(ArchiveError, match="more than 1,999 bytes"):
        unpack(path, tmp_path / "out", max_bytes=1999)
    assert not (tmp_path / "out").exists()


def test_a_size_that_is_a_lie_does_not_get_round_the_limit(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"L2_2/a": bytes(1000)})
    path.write_bytes(path.read_bytes().replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(ArchiveError, match="damaged"):
        unpack(path, tmp_path / "out", max_bytes=999)
    assert set(files_below(tmp_path)) == {"a.zip"}


@pytest.mark.parametrize("position", range(42, 50))
def test_a_damaged_zip_leaves_nothing(tmp_path, position):
    path = make_zip(tmp_path / "a.zip", {"L2_2/a.png": b"abcdefgh" * 50})
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    for changed, message in ((data, "damaged"), (b"hello", "neither a ZIP nor a TAR"), (b"", "neither")):
        path.write_bytes(changed)
        with pytest.raises(ArchiveError, match=message):
            unpack(path, tmp_path / "out")
        assert set(files_below(tmp_path)) == {"a.zip"}


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_that_is_cut_off_or_changed_leaves_nothing(tmp_path, kind):
    rng = np.random.default_rng(0)
    files = {f"L2_{number}/a.png": rng.bytes(3000) for number in range(20)}  # a header and six blocks each
    path = make_archive(tmp_path / "a.tar", kind, files)
    data = path.read_bytes()
    places = [10 * 3584 + 5] if kind == "w" else range(1000, len(data) - 1000, 5000)
    changed = [data[:place] + bytes([data[place] ^ 8]) + data[place + 1 :] for place in places]
    for damaged in (*changed, data[: 10 * 3584], data[: 10 * 3584 + 100]):
        path.write_bytes(damaged)
        with pytest.raises(ArchiveError):
            unpack(path, tmp_path / "out")
        assert set(files_below(tmp_path)) == {"a.tar"}


def test_an_archive_inside_another_one_is_a_file_of_it(tmp_path):
    inner = make_zip(tmp_path / "inner.zip", {"one/1.png": b"1"}).read_bytes()
    files = {"cat/1.png": b"1", "dog/1.png": b"2", "dog/more.zip": inner}
    for kind in ("w", "zip"):
        unpack(make_archive(tmp_path / kind, kind, files), tmp_path / f"out {kind}")
        assert files_below(tmp_path / f"out {kind}") == files


def test_a_zip_with_the_separators_of_windows_is_unpacked(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"cat/1.png": b"1", "dog/1.png": b"2"})
    path.write_bytes(path.read_bytes().replace(b"/1.png", b"\\1.png"))
    unpack(path, tmp_path / "out")
    assert files_below(tmp_path / "out") == {"cat/1.png": b"1", "dog/1.png": b"2"}


def test_the_command_downloads_and_unpacks_once_and_never_overwrites(tmp_path, empty_place, capsys):
    (tmp_path / "damaged.zip").write_bytes(b"PK\x05\x06")
    for name in ((tmp_path / "damaged.zip").as_uri(), "damaged.zip"):
        assert main(["data", name]) == 2
        assert "neither a ZIP nor a TAR archive" in capsys.readouterr().err
    assert list((tmp_path / "data").iterdir()) == []
    capsys.readouterr()
    files = {"L2_2/a.png": b"1", "L2_10/b.png": b"2", "L2_10/c.png": b"3"}
    path = make_zip(tmp_path / "a.zip", {f"t/{name}": data for name, data in files.items()})
    assert main(["data", path.as_uri()]) == 0
    assert "data/training: 2 classes, 3 files" in capsys.readouterr().out
    assert main(["data", path.as_uri()]) == 2
    assert "exists already" in capsys.readouterr().err
    assert files_below(tmp_path / "data" / "training") == files


STORED = {"L2_2/a.png": b"1", "L2_2/b.png": b"22", "L2_10/한글 이름.png": b"333"}


@pytest.fixture(params=["memory", "local"])
def bucket(request, tmp_path):
    """A function that stores files by name, and gives the URL of their folder."""
    fsspec = pytest.importorskip("fsspec")
    root = "/bucket" if request.param == "memory" else (tmp_path / "bucket").as_posix()

    def store(files, name="training"):
        fs = fsspec.filesystem(request.param)
        for path, data in files.items():
            fs.makedirs(f"{root}/{name}/{path}".rpartition("/")[0], exist_ok=True)
            fs.pipe_file(f"{root}/{name}/{path}", data)
        return f"{request.param}://{root}/{name}"

    yield store
    fsspec.filesystem("memory").store.clear()


@pytest.mark.extras
@pytest.mark.parametrize("outer", ["", "challenge/train/", "a.zip"])
def test_class_folders_and_archives_are_copied_from_a_store(bucket, tmp_path, outer):
    packed = make_zip(tmp_path / "a.zip", {f"train/{name}": data for name, data in STORED.items()})
    if outer == "a.zip":
        url = f"{bucket({'a.zip': packed.read_bytes()})}/a.zip"
    else:
        url = bucket({outer + name: data for name, data in STORED.items()})
    copy_from_store(url, tmp_path / "data" / "out")
    assert files_below(tmp_path / "data") == {f"out/{name}": data for name, data in STORED.items()}


@pytest.mark.extras
def test_a_broken_copy_resumes_and_another_url_starts_anew(bucket, tmp_path, monkeypatch):
    url, other = bucket(STORED), bucket({"L2_2/a.png": b"9", "L2_3/c.png": b"9"}, "other")
    store, copied = archive._open_store(url)[0], []
    get = type(store).get

    def break_off(self, paths, targets):
        if len(copied) == 2:
            raise TimeoutError("no answer")
        copied.extend(paths)
        get(self, paths, targets)

    monkeypatch.setattr(archive, "TOGETHER", 1)
    monkeypatch.setattr(type(store), "get", break_off)
    with pytest.raises(ArchiveError, match="no answer; run the same command again to resume"):
        copy_from_store(url, tmp_path / "data" / "out")
    assert not (tmp_path / "data" / "out").exists()
    copied.clear()
    copy_from_store(url, tmp_path / "data" / "out")
    assert len(copied) == 1
    assert files_below(tmp_path / "data" / "out") == STORED
    copied.clear()
    copy_from_store(other, tmp_path / "data" / "other")
    assert files_below(tmp_path / "data" / "other") == {"L2_2/a.png": b"9", "L2_3/c.png": b"9"}


@pytest.mark.extras
def test_a_half_written_file_is_copied_again(bucket, tmp_path, monkeypatch):
    url = bucket(STORED)
    monkeypatch.setattr(archive, "_class_folder_root", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        copy_from_store(url, tmp_path / "data" / "out")
    monkeypatch.undo()
    (half,) = (tmp_path / "data").rglob("b.png")
    half.write_bytes(b"2")
    copy_from_store(url, tmp_path / "data" / "out")
    assert files_below(tmp_path / "data") == {f"out/{name}": data for name, data in STORED.items()}


@pytest.mark.extras
def test_what_a_store_must_not_bring_is_an_error(bucket, tmp_path):
    url = bucket(STORED)
    with pytest.raises(ArchiveError, match="holds more than 5 bytes"):
        copy_from_store(url, tmp_path / "data" / "out", max_bytes=5)
    with pytest.raises(ArchiveError, match="no files at"):
        copy_from_store(f"{url}/nothing", tmp_path / "data" / "out")
    with pytest.raises(ArchiveError, match="cannot copy fly://"):
        copy_from_store("fly://bucket/training", tmp_path / "data" / "out")
    assert not (tmp_path / "data").exists()


def test_empty_files_that_stand_for_folders_in_a_store_are_left_out(tmp_path, monkeypatch):
    """As the console of S3 makes them."""

    class Store:
        isfile = staticmethod(lambda path: False)

        def find(self, root, detail):
            return {name: {"size": len(name) % 2} for name in ("r/A/", "r/A/1.png")}

        def get(self, paths, targets):
            for target in targets:
                Path(target).write_bytes(b"1")

    monkeypatch.setattr(archive, "_open_store", lambda url: (Store(), "r"))
    copy_from_store("s3://r", tmp_path / "out")
    assert files_below(tmp_path / "out") == {"A/1.png": b"1"}


@pytest.mark.parametrize("package", ["fsspec", "fsspec.core"])
def test_a_store_without_its_package_is_one_line(tmp_path, monkeypatch, empty_place, capsys, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["data", "s3://bucket/training"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install s3fs" in line
    assert not (tmp_path / "data").exists()
