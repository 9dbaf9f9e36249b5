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
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm.auto import tqdm

from evaluate import JUNK_NAMES, EvaluationError, class_folders, could_be_image, is_system_folder, list_files
from illus import work_folders
from illus.hashing import digest

DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError)
MAX_UNPACKED_BYTES = 20 * 2**30
CHUNK = 2**20  # bytes, read at a time
TIMEOUT = 60  # seconds without an answer
URLLIB = ("", "http", "https", "file")  # schemes of URLs that need no further package
TOGETHER = 256  # files that a store is asked for at a time


class ArchiveError(ValueError):
    """The archive could not be downloaded or must not be unpacked; the message says why."""


def fetch(url: str) -> None:
    """Bring class folders from a URL to ``data/training``, and print what it holds.

    :class:`ArchiveError` if the URL cannot be read, the transfer broke off (call again to resume), or what
    came is no archive, damaged, locked, too large, without class folders, or holds a link or a path that
    leads outside; FileExistsError if the folder exists.
    """
    folder = work_folders.DOWNLOADED
    if len(urllib.parse.urlsplit(url).scheme) < 2:  # a path; that of Windows begins with a letter
        url = Path(url).resolve().as_uri()
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; move it away to unpack again")
    if urllib.parse.urlsplit(url).scheme in URLLIB:
        archive = folder.with_name(f"{folder.name}.archive")
        download(url, archive)
        _unpack_download(archive, folder)
    else:
        copy_from_store(url, folder)
    folders = class_folders(folder)
    files = sum(len(list_files(sub)) for sub in folders.values())
    print(f"{folder}: {len(folders)} classes, {files:,} files")


def download(url: str, path: Path) -> None:
    """Download a URL to a file that appears when it is complete; what was interrupted resumes."""
    # what has arrived before, and the ETag or date by which the server knows that version
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
    size = part.stat().st_size
    if total is not None and size != total:
        broken = f"the download broke off at {size:,} of {total:,} bytes"
        raise ArchiveError(f"{broken}; run the same command again to resume")
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
    """Unpack a ZIP or TAR archive of class folders into ``folder``, which appears when all is there."""
    unpacking = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)
    try:
        unpacking.mkdir(parents=True)
        if tarfile.is_tarfile(archive):  # before ZIP, which may stand at the end of another file
            _unpack_tar(archive, unpacking, max_bytes)
        elif zipfile.is_zipfile(archive):
            _unpack_zip(archive, unpacking, max_bytes)
        else:
            raise ArchiveError(f"{archive.name} is neither a ZIP nor a TAR archive")
        _move(unpacking, folder)
    except DAMAGED as error:
        raise ArchiveError(f"{archive.name} is damaged or locked: {error}") from None
    except OSError as error:
        raise ArchiveError(f"cannot unpack {archive.name}: {error}") from None
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


def _unpack_download(archive: Path, folder: Path, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Unpack an archive, and delete it, also one that cannot be unpacked: it would be downloaded again."""
    try:
        unpack(archive, folder, max_bytes)
    finally:
        archive.unlink(missing_ok=True)


def _unpack_zip(archive: Path, folder: Path, max_bytes: int) -> None:
    with _open_zip(archive) as file:
        for member in file.infolist():
            member.filename = member.filename.replace("\\", "/")  # of some Windows programs
            _check_name(member.filename, stat.S_ISLNK(member.external_attr >> 16))
        _check_size(sum(member.file_size for member in file.infolist()), max_bytes)  # more is never unpacked
        file.extractall(folder, file.infolist())


def _open_zip(path: Path) -> zipfile.ZipFile:
    """Names without the UTF-8 flag are read as UTF-8, else as CP949, else as CP437."""
    for encoding in ("utf-8", "cp949"):  # Korean in CP949 is hardly ever valid UTF-8
        with suppress(UnicodeDecodeError):
            return zipfile.ZipFile(path, metadata_encoding=encoding)
    return zipfile.ZipFile(path)


def _unpack_tar(archive: Path, folder: Path, max_bytes: int) -> None:
    total = 0

    def check(member: tarfile.TarInfo, target: str) -> tarfile.TarInfo:
        nonlocal total
        total += member.size
        _check_size(total, max_bytes)
        _check_name(member.name, not (member.isreg() or member.isdir()))
        return tarfile.data_filter(member, target)

    with tarfile.open(archive) as file:
        file.extractall(folder, filter=check)
        # tarfile takes a damaged header for the end, and does not read so far that checksums are compared
        stream: Any = file.fileobj
        stream.seek(file.offset)
        end = stream.read(tarfile.BLOCKSIZE)
        if len(end) < tarfile.BLOCKSIZE or any(end):
            raise tarfile.ReadError(f"it breaks off after {len(file.getmembers()):,} entries")
        while stream.read(CHUNK):
            pass


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ArchiveError(f"unpacked it would take more than {max_bytes:,} bytes")


def _check_name(name: str, is_link: bool = False) -> None:
    path = PurePosixPath(name)
    if is_link:
        raise ArchiveError(f"the archive contains a link or a device, {name!r}: not unpacked")
    if path.is_absolute() or not name or ".." in path.parts or ":" in name.partition("/")[0]:
        raise ArchiveError(f"the archive contains a path that leads outside, {name!r}: not unpacked")


def _move(unpacked: Path, folder: Path) -> None:
    """Move the class folders in what was unpacked to their place."""
    root = _class_folder_root(unpacked)
    try:
        class_folders(root)
    except EvaluationError as error:
        raise ArchiveError(str(error).replace(str(root), "what was downloaded")) from None
    os.replace(root, folder)


def _class_folder_root(folder: Path) -> Path:
    """The topmost folder whose sub-folders contain images; a lone folder of folders is an outer one."""
    inside = _folders_with_files(folder)
    if len(inside) == 1 and _folders_with_files(inside[0]):
        return _class_folder_root(inside[0])
    files = (path for sub in inside for path in filter(_is_visible, sub.iterdir()) if path.is_file())
    if any(map(could_be_image, files)):
        return folder
    names = ", ".join(sorted(path.name for path in inside)) or "none"
    what = f"no class folders at the top of what was downloaded, but these folders: {names}"
    raise ArchiveError(f"{what}; name or repack the one that contains the class folders")


def _folders_with_files(folder: Path) -> list[Path]:
    """The sub-folders with a file at some depth, without what operating systems leave there."""
    return [sub for sub in filter(_is_visible, folder.iterdir()) if sub.is_dir() and any(_files_below(sub))]


def _files_below(folder: Path) -> Iterator[Path]:
    for path in filter(_is_visible, folder.iterdir()):
        yield from _files_below(path) if path.is_dir() else [path]


def _is_visible(path: Path) -> bool:
    return not is_system_folder(path.name) and path.name.casefold() not in JUNK_NAMES


def copy_from_store(url: str, folder: Path, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Copy class folders, or an archive of them, from a store that fsspec knows; a broken copy resumes."""
    copying = folder.with_name(f".{folder.name}.{digest(url)}")
    try:
        store, root = _open_store(url)  # its package finds credentials by itself
        if store.isfile(root):
            archive = folder.with_name(f"{folder.name}.archive")
            archive.parent.mkdir(parents=True, exist_ok=True)
            store.get([root], [str(archive)])
            _unpack_download(archive, folder, max_bytes)
            return
        _copy_missing(store, root, copying, max_bytes)
    except ArchiveError:
        raise
    except Exception as error:  # the packages of the stores have exceptions of their own
        again = "; run the same command again to resume" if copying.exists() else ""
        raise ArchiveError(f"cannot copy {url}: {error}{again}") from None
    _move(copying, folder)
    shutil.rmtree(copying, ignore_errors=True)


def _open_store(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(url)
    except ImportError as error:
        cure = "pip install s3fs for s3://, gcsfs for gs://, fsspec for others"
        raise ArchiveError(f"cannot read {url}: {error}; {cure}") from None


def _copy_missing(store: Any, root: str, folder: Path, max_bytes: int) -> None:
    """Copy the files below ``root`` that ``folder`` does not hold in their full size."""
    listed = store.find(root, detail=True).items()
    sizes = {path: info["size"] for path, info in listed if not path.endswith("/")}
    if not sizes:
        raise ArchiveError(f"no files at {root}")
    if sum(sizes.values()) > max_bytes:
        raise ArchiveError(f"{root} holds more than {max_bytes:,} bytes")
    names = {path: path[len(root.rstrip("/")) + 1 :] for path in sizes}
    for name in names.values():
        _check_name(name)
    targets = {path: folder / name for path, name in names.items()}
    there = {path: target.stat().st_size for path, target in targets.items() if target.exists()}
    missing = [path for path, size in sizes.items() if there.get(path) != size]
    with tqdm(desc="copy", total=len(sizes), initial=len(sizes) - len(missing), unit="file") as bar:
        for start in range(0, len(missing), TOGETHER):
            part = missing[start : start + TOGETHER]
            for path in part:
                targets[path].parent.mkdir(parents=True, exist_ok=True)
            store.get(part, [str(targets[path]) for path in part])
            bar.update(len(part))
