"""An archive at a URL -> class folders.

In: the address of a ZIP or TAR archive of class folders. Out: ``data/training/``, made whole or not
at all; nothing that exists is overwritten.
"""

import argparse
import http.client
import lzma
import os
import shutil
import stat
import string
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath

from tqdm.auto import tqdm

from evaluate import EvaluationError, class_folders, list_files
from illus import config

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
CHUNK = 2**20


class ArchiveError(ValueError):
    """The archive could not be fetched or must not be unpacked; the message says why."""


def download(url, path):
    """Fetch a URL into a file; an interrupted download goes on where it stopped.

    Parameters
    ----------
    url : str
        ``http://``, ``https://`` or ``file://``.
    path : Path
        Appears when the file is whole; until then ``path.part`` holds what has come, and
        ``path.validator`` how the server names that version of the file.

    Raises
    ------
    ArchiveError
        The address cannot be read, or the transfer broke off (call again to resume).
    """
    part, validator = path.with_name(path.name + ".part"), path.with_name(path.name + ".validator")
    path.parent.mkdir(parents=True, exist_ok=True)
    url = urllib.parse.quote(url, safe=string.punctuation)  # Korean names and spaces
    have = part.stat().st_size if part.exists() and validator.exists() else 0
    headers = {"Range": f"bytes={have}-", "If-Range": validator.read_text()} if have else {}
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            resumed = getattr(response, "status", None) == 206
            have = have if resumed else 0
            rest = response.headers.get("Content-Length")
            total = have + int(rest) if rest else None
            name = response.headers.get("ETag") or response.headers.get("Last-Modified")
            validator.write_text(name) if name else validator.unlink(missing_ok=True)
            with (
                open(part, "ab" if resumed else "wb") as file,
                tqdm(desc="download", total=total, initial=have, unit="B", unit_scale=True) as bar,
            ):
                while chunk := response.read(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise ArchiveError(f"cannot download {url}: {error}") from None
        part.unlink()  # there is nothing behind what is here: it may be whole, or another file's start
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


def unpack(archive, folder, max_bytes=MAX_UNPACKED_BYTES):
    """Unpack an archive of class folders; top folders that hold all the rest are left away.

    Parameters
    ----------
    archive : Path
        ZIP (names without the UTF-8 flag are read as UTF-8, else as CP949, else as CP437) or TAR,
        compressed or not.
    folder : Path
        Must not exist; appears when everything is unpacked.
    max_bytes : int, default 20 GiB
        Unpacked size, counted while unpacking.

    Raises
    ------
    ArchiveError
        Not an archive, damaged, holds a link or a path that leads outside, is too large, or holds no
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
            left = max_bytes
            for name, is_link, open_member in members:
                target = unpacking / _safe_path(name, is_link)
                target.parent.mkdir(parents=True, exist_ok=True)
                with open_member() as source, open(target, "wb") as file:
                    while chunk := source.read(CHUNK):
                        left -= len(chunk)
                        if left < 0:
                            raise ArchiveError(f"{archive.name} unpacks to more than {max_bytes:,} bytes")
                        file.write(chunk)
        if not unpacking.exists():
            raise ArchiveError(f"{archive.name} holds no files")
        os.replace(_class_folder_root(unpacking), folder)
    except DAMAGED as error:
        raise ArchiveError(f"{archive.name} is damaged or locked: {error}") from None
    except OSError as error:
        raise ArchiveError(f"cannot unpack {archive.name}: {error}") from None
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


@contextmanager
def _open_archive(path):
    """Gives an iterator over the files and links inside: (name, is_link, function that opens it)."""
    if zipfile.is_zipfile(path):
        with _open_zip(path) as archive:
            yield (
                (i.filename, stat.S_ISLNK(i.external_attr >> 16), lambda i=i: archive.open(i))
                for i in archive.infolist()
                if not i.is_dir()
            )
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            yield (
                (m.name, not m.isreg(), lambda m=m: archive.extractfile(m)) for m in archive if not m.isdir()
            )
    else:
        raise ArchiveError(f"{path.name} is neither a ZIP nor a TAR archive")


def _open_zip(path):
    for encoding in ("utf-8", "cp949"):  # Korean in CP949 is hardly ever valid UTF-8
        with suppress(UnicodeDecodeError):
            return zipfile.ZipFile(path, metadata_encoding=encoding)
    return zipfile.ZipFile(path)


def _safe_path(name, is_link):
    path = PurePosixPath(name.replace("\\", "/"))
    if is_link:
        raise ArchiveError(f"the archive holds a link or a device, {name!r}: not unpacked")
    if path.is_absolute() or not path.parts or ".." in path.parts or ":" in path.parts[0] or "\0" in name:
        raise ArchiveError(f"the archive holds a path that leads outside, {name!r}: not unpacked")
    return path


def _class_folder_root(folder):
    """The first folder, from the top, whose sub-folders hold files."""
    inside = [p for p in folder.iterdir() if p.is_dir() and p.name != "__MACOSX" and p.name[0] != "."]
    if any(p.is_file() for sub in inside for p in sub.iterdir()):
        return folder
    if len(inside) == 1:
        return _class_folder_root(inside[0])
    names = ", ".join(sorted(p.name for p in inside)) or "none"
    raise ArchiveError(f"no class folders at the top of the archive, but: {names}; repack the one with them")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m illus.data.archive",
        description=f"Download an archive of class folders and unpack it into {config.DOWNLOADED}.",
    )
    parser.add_argument("url", help="http://, https:// or file://")
    url = parser.parse_args(arguments).url
    folder = config.DOWNLOADED
    archive = folder.with_name(f"{folder.name}.archive")
    try:
        if folder.exists():
            raise FileExistsError(f"{folder} exists already; move it away to unpack again")
        download(url, archive)
        unpack(archive, folder)
        archive.unlink()
        folders = class_folders(folder)
    except (ArchiveError, EvaluationError, FileExistsError) as error:
        print(f"illus.data.archive: error: {error}", file=sys.stderr)
        return 2
    files = sum(len(list_files(sub)) for sub in folders.values())
    print(f"{folder}: {len(folders)} classes, {files:,} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
