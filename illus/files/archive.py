"""An archive at a URL, or a folder of an object store -> class folders.

In: the URL of a ZIP or TAR archive of class folders, or of the class folders themselves in a store that
fsspec knows (``s3://``, ``gs://``). Out: ``data/training/``, complete or not there at all; nothing that
exists is overwritten.
"""

import http.client
import lzma
import os
import shutil
import stat
import string
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from tqdm.auto import tqdm

from evaluate import JUNK_NAMES, class_folders, list_files
from illus import config
from illus.hashing import digest

DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    NotImplementedError,
)
MAX_UNPACKED_BYTES = 20 * 2**30
CHUNK = 2**20  # bytes, read at a time
TIMEOUT = 60  # seconds without an answer
URLLIB = ("", "http", "https", "file")  # schemes of URLs that need no further package
TOGETHER = 256  # files that a store is asked for at a time

Member = tuple[str, bool, Callable[[], IO[bytes]]]  # name, whether it is a link or a device, how to open it


class ArchiveError(ValueError):
    """The archive could not be downloaded or must not be unpacked; the message says why."""


def download(url: str, path: Path) -> None:
    """Download a URL to a file; an interrupted download resumes where it stopped.

    Parameters
    ----------
    url : str
        ``http://``, ``https://`` or ``file://``.
    path : Path
        Appears when the file is complete. Until then ``path.part`` holds what has arrived, and
        ``path.validator`` the ETag or date by which the server identifies that version of the file.

    Raises
    ------
    ArchiveError
        The URL cannot be read, or the transfer broke off (call again to resume).
    """
    part, validator = path.with_name(path.name + ".part"), path.with_name(path.name + ".validator")
    path.parent.mkdir(parents=True, exist_ok=True)
    url = urllib.parse.quote(url, safe=string.punctuation)  # Korean names and spaces
    start = part.stat().st_size if part.exists() and validator.exists() else 0
    try:
        total = _transfer(url, part, validator, start)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:
            raise ArchiveError(f"cannot download {url}: {error}") from None
        part.unlink()  # the server has nothing after this: it may be the whole file, or part of another one
        return download(url, path)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ArchiveError(f"cannot download {url}: {error}") from None
    if total is not None and part.stat().st_size != total:
        raise ArchiveError(
            f"the download broke off at {part.stat().st_size:,} of {total:,} bytes; "
            "run the same command again to resume"
        )
    os.replace(part, path)
    validator.unlink(missing_ok=True)


def _transfer(url: str, part: Path, validator: Path, start: int) -> int | None:
    """Append what comes after byte ``start``; the size of the whole file, or None if the server is silent."""
    headers = {"Range": f"bytes={start}-", "If-Range": validator.read_text()} if start else {}
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        resumed = getattr(response, "status", None) == 206
        start = start if resumed else 0
        remaining = response.headers.get("Content-Length")
        total = start + int(remaining) if remaining else None
        version = response.headers.get("ETag") or response.headers.get("Last-Modified")
        validator.write_text(version) if version else validator.unlink(missing_ok=True)
        with (
            open(part, "ab" if resumed else "wb") as file,
            tqdm(desc="download", total=total, initial=start, unit="B", unit_scale=True) as bar,
        ):
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    return total


def unpack(archive: Path, folder: Path, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Unpack an archive of class folders; outer folders that hold nothing else are left out.

    Parameters
    ----------
    archive : Path
        ZIP (names without the UTF-8 flag are read as UTF-8, else as CP949, else as CP437) or TAR,
        compressed or not.
    folder : Path
        Must not exist; appears when everything is unpacked.
    max_bytes : int, default ``MAX_UNPACKED_BYTES``
        Limit of the unpacked size, counted while unpacking.

    Raises
    ------
    ArchiveError
        Not an archive; damaged; contains a link, or a path that leads outside; too large; or without
        class folders.
    FileExistsError
        ``folder`` exists.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; move it away to unpack again")
    unpacking = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)
    try:
        with _open_archive(archive) as members:
            _write_members(members, unpacking, archive.name, max_bytes)
        if not unpacking.exists():
            raise ArchiveError(f"{archive.name} contains no files")
        os.replace(_class_folder_root(unpacking), folder)
    except DAMAGED as error:
        raise ArchiveError(f"{archive.name} is damaged or locked: {error}") from None
    except OSError as error:
        raise ArchiveError(f"cannot unpack {archive.name}: {error}") from None
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


def _write_members(members: Iterable[Member], folder: Path, archive_name: str, max_bytes: int) -> None:
    remaining = max_bytes
    for name, is_link, open_member in members:
        target = folder / _safe_path(name, is_link)
        target.parent.mkdir(parents=True, exist_ok=True)
        with open_member() as source, open(target, "wb") as file:
            while chunk := source.read(CHUNK):
                remaining -= len(chunk)
                if remaining < 0:
                    raise ArchiveError(f"{archive_name} unpacks to more than {max_bytes:,} bytes")
                file.write(chunk)


@contextmanager
def _open_archive(path: Path) -> Iterator[Iterable[Member]]:
    """Files and links in a ZIP or TAR archive; folders are left out."""
    if zipfile.is_zipfile(path):
        with _open_zip(path) as zip_file:
            yield (
                (info.filename, stat.S_ISLNK(info.external_attr >> 16), partial(zip_file.open, info))
                for info in zip_file.infolist()
                if not info.is_dir()
            )
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as tar_file:
            yield (
                (info.name, not info.isreg(), partial(_open_tar_member, tar_file, info))
                for info in tar_file
                if not info.isdir()
            )
    else:
        raise ArchiveError(f"{path.name} is neither a ZIP nor a TAR archive")


def _open_tar_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(member)
    assert file is not None, "a link or a device is refused before it is opened"
    return file


def _open_zip(path: Path) -> zipfile.ZipFile:
    for encoding in ("utf-8", "cp949"):  # Korean in CP949 is hardly ever valid UTF-8
        with suppress(UnicodeDecodeError):
            return zipfile.ZipFile(path, metadata_encoding=encoding)
    return zipfile.ZipFile(path)


def _safe_path(name: str, is_link: bool) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if is_link:
        raise ArchiveError(f"the archive contains a link or a device, {name!r}: not unpacked")
    if path.is_absolute() or not path.parts or ".." in path.parts or ":" in path.parts[0] or "\0" in name:
        raise ArchiveError(f"the archive contains a path that leads outside, {name!r}: not unpacked")
    return path


def _class_folder_root(folder: Path) -> Path:
    """The topmost folder whose sub-folders contain files; a lone folder of folders is an outer one."""
    inside = _folders_with_files(folder)
    if len(inside) == 1 and _folders_with_files(inside[0]):
        return _class_folder_root(inside[0])
    if any(p.is_file() and _is_visible(p) for sub in inside for p in sub.iterdir()):
        return folder
    names = ", ".join(sorted(p.name for p in inside)) or "none"
    raise ArchiveError(
        f"no class folders at the top of what was downloaded, but these folders: {names}; "
        "name or repack the one that contains the class folders"
    )


def _folders_with_files(folder: Path) -> list[Path]:
    """The sub-folders with a file at some depth, without what operating systems leave there."""
    subs = [p for p in folder.iterdir() if p.is_dir() and _is_visible(p)]
    return [sub for sub in subs if any(p.is_file() for p in _visible_below(sub))]


def _visible_below(folder: Path) -> Iterator[Path]:
    for path in filter(_is_visible, folder.iterdir()):
        yield path
        if path.is_dir():
            yield from _visible_below(path)


def _is_visible(path: Path) -> bool:
    return path.name[0] != "." and path.name.casefold() not in JUNK_NAMES | {"__macosx"}


def copy_from_store(url: str, folder: Path, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Copy class folders, or an archive of them, from a store that fsspec knows; a broken copy resumes.

    Parameters
    ----------
    url : str
        For example ``s3://bucket/training`` or ``gs://bucket/images.zip``. Credentials are those that the
        store's package finds by itself.
    folder : Path
        Must not exist; appears when everything is there. Until then a hidden folder beside it holds what has
        arrived from that URL.
    max_bytes : int, default ``MAX_UNPACKED_BYTES``
        Limit of the size of all files, or of the unpacked archive.

    Raises
    ------
    ArchiveError
        A package is missing, the store cannot be read, the copy broke off (call again to resume), or as
        :func:`unpack` says.
    FileExistsError
        ``folder`` exists.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; move it away to copy again")
    copying = folder.with_name(f".{folder.name}.{digest(url)}")
    try:
        store, root = _open_store(url)
        if store.isfile(root):
            archive = folder.with_name(f"{folder.name}.archive")
            archive.parent.mkdir(parents=True, exist_ok=True)
            store.get([root], [str(archive)])
            unpack(archive, folder, max_bytes)
            archive.unlink()
            return
        _copy_missing(store, root, copying, max_bytes)
    except ArchiveError:
        raise
    except Exception as error:  # the packages of the stores have exceptions of their own
        again = "; run the same command again to resume" if copying.exists() else ""
        raise ArchiveError(f"cannot copy {url}: {error}{again}") from None
    os.replace(_class_folder_root(copying), folder)
    shutil.rmtree(copying, ignore_errors=True)


def _open_store(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(url)
    except ImportError as error:
        raise ArchiveError(
            f"cannot read {url}: {error}; pip install s3fs for s3://, gcsfs for gs://, fsspec for others"
        ) from None


def _copy_missing(store: Any, root: str, folder: Path, max_bytes: int) -> None:
    """Copy the files below ``root`` that ``folder`` does not hold in their full size."""
    found = {
        path: info["size"] for path, info in store.find(root, detail=True).items() if not path.endswith("/")
    }
    if not found:
        raise ArchiveError(f"no files at {root}")
    if sum(found.values()) > max_bytes:
        raise ArchiveError(f"{root} holds more than {max_bytes:,} bytes")
    targets = {path: folder / _safe_path(path[len(root.rstrip("/")) + 1 :], False) for path in found}
    missing = [
        path for path in found if not (targets[path].exists() and targets[path].stat().st_size == found[path])
    ]
    with tqdm(desc="copy", total=len(found), initial=len(found) - len(missing), unit="file") as bar:
        for start in range(0, len(missing), TOGETHER):
            part = missing[start : start + TOGETHER]
            for path in part:
                targets[path].parent.mkdir(parents=True, exist_ok=True)
            store.get(part, [str(targets[path]) for path in part])
            bar.update(len(part))


def fetch(url: str, folder: Path = config.DOWNLOADED) -> None:
    """Bring class folders from a URL to ``folder``, and print what it holds.

    Raises
    ------
    ArchiveError, evaluate.EvaluationError
        See :func:`download`, :func:`unpack` and :func:`copy_from_store`.
    FileExistsError
        ``folder`` exists.
    """
    archive = folder.with_name(f"{folder.name}.archive")
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; move it away to unpack again")
    if urllib.parse.urlsplit(url).scheme in URLLIB:
        download(url, archive)
        unpack(archive, folder)
        archive.unlink()
    else:
        copy_from_store(url, folder)
    folders = class_folders(folder)
    files = sum(len(list_files(sub)) for sub in folders.values())
    print(f"{folder}: {len(folders)} classes, {files:,} files")
