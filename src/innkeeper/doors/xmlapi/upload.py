"""Files by multipart `POST` to the protocol's address; later packets name them by their handle (`tmp-name`)."""

from __future__ import annotations

from io import BytesIO
from wsgiref.types import WSGIEnvironment

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from innkeeper.core import uploads
from innkeeper.core.actor import Actor
from innkeeper.core.errors import Malformed, Refused
from innkeeper.doors.xmlapi.dispatch import Answer
from innkeeper.doors.xmlapi.results import write_error, write_ok
from innkeeper.doors.xmlapi.versions import NEWEST
from innkeeper.doors.xmlapi.writer import Writer

MULTIPART = "multipart/form-data"
MAX_FILES = 100


def is_upload(environ: WSGIEnvironment) -> bool:
    """True for a request that carries files in place of a packet."""
    content_type: str = environ.get("CONTENT_TYPE") or ""
    return content_type.lower().startswith(MULTIPART)


def answer_upload(actor: Actor, environ: WSGIEnvironment, body: bytes, *, pretty: bool = False) -> Answer:
    """Keep every file of the body: a result for each, in their order. Raises Malformed for a body without files."""
    files = _files(environ, body)
    writer = Writer(pretty=pretty)
    with writer.element("packet", f' version="{NEWEST}"'), writer.element("upload"):
        for file in files:
            name = file.name or ""
            handle = ""
            with file, writer.element("result"):
                try:
                    handle = uploads.store(actor, name, file.read())
                except Refused as error:
                    write_error(writer, error)
                else:
                    write_ok(writer)
                writer.leaf("name", name)
                writer.leaf("file", handle)
    return Answer(*writer.finish())


def _files(environ: WSGIEnvironment, body: bytes) -> list[UploadedFile[bytes]]:
    meta = {"CONTENT_TYPE": environ.get("CONTENT_TYPE", ""), "CONTENT_LENGTH": str(len(body))}
    try:
        _, found = MultiPartParser(meta, BytesIO(body), [TemporaryFileUploadHandler()]).parse()
    except (MultiPartParserError, ValueError) as error:
        raise Malformed("Parser error: The multipart body cannot be read.") from error
    files = [file for _, listed in found.lists() for file in listed if isinstance(file, UploadedFile)]
    if not files or len(files) > MAX_FILES:
        raise Malformed(f"Parser error: Send 1 to {MAX_FILES} files in one multipart body.")
    return files
