"""Patches for S3 in MiniStack 1.5.33: checksums, copies, metadata and keys, as upload tools use them.

The rules of ministack_patches.py apply. Imported only in MiniStack's virtual environment.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from contextvars import ContextVar
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any

from awscrt import checksums
from ministack.services import s3

Response = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""

DEFAULT_ALGORITHM = "CRC64NVME"
"""The checksum that S3 computes for an object whose client sends none."""
MAX_KEY_BYTES = 1024
TYPES = {
    "CRC64NVME": ("FULL_OBJECT",),
    "CRC32": ("COMPOSITE", "FULL_OBJECT"),
    "CRC32C": ("COMPOSITE", "FULL_OBJECT"),
    "SHA1": ("COMPOSITE",),
    "SHA256": ("COMPOSITE",),
}
"""The checksum types of a multipart upload for each algorithm, its default first."""

COMPLETED: ContextVar[str | None] = ContextVar("completed", default=None)
"""While a multipart upload is completed: the checksum of the whole object; None for a composite."""
COPIED: ContextVar[dict[str, str] | None] = ContextVar("copied", default=None)
"""While an object is copied: the `algorithm` of the request, if any; then the ETags `from` and `to`."""


def apply_all() -> None:
    """Applies every patch of this file."""
    _compute_checksums_in_c()
    _store_a_checksum_with_every_object()
    _keep_the_checksum_type_of_a_version()
    _store_full_object_checksums_of_multipart_uploads()
    _compute_checksums_of_copied_parts()
    _refuse_a_copy_that_changes_nothing()
    _describe_a_copy_as_one_part()
    _tag_versions_of_deleted_objects()
    _encode_metadata_as_rfc_2047()
    _refuse_long_keys()


def _compute_checksums_in_c() -> None:
    """Computes CRC-64/NVME and CRC-32C with awscrt, as the SDKs do.

    For speed: MiniStack needs a second and a half per megabyte.
    """
    s3._crc64nvme = checksums.crc64nvme
    s3._crc32c = checksums.crc32c


def _store_a_checksum_with_every_object() -> None:
    """S3 stores a CRC-64/NVME with an object whose client sent no checksum, and PutObject returns it.

    MiniStack stores only what the client sent.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
    """
    build, put = s3._build_object_record, s3._put_object

    def patched_build(body: bytes, *args: Any, **kwargs: Any) -> dict[str, Any]:
        record = build(body, *args, **kwargs)
        record["checksums"] = record["checksums"] or _whole_checksums([DEFAULT_ALGORITHM], body)
        return record

    def patched_put(bucket: str, key: str, body: bytes, headers: dict[str, str]) -> Response:
        status, response_headers, response_body = put(bucket, key, body, headers)
        if status == 200:
            stored = s3._buckets[bucket]["objects"][key]["checksums"]
            response_headers.update({f"x-amz-checksum-{name.lower()}": stored[name] for name in stored})
            response_headers["x-amz-checksum-type"] = "FULL_OBJECT"
        return status, response_headers, response_body

    s3._build_object_record = patched_build
    s3._put_object = patched_put


def _keep_the_checksum_type_of_a_version() -> None:
    """A request with a versionId returns the type of that version's checksum.

    MiniStack calls every checksum of a version FULL_OBJECT.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """
    to_entry, to_record = s3._version_entry_from_record, s3._object_record_from_version

    def patched_to_entry(record: dict[str, Any], *args: Any) -> dict[str, Any]:
        return {**to_entry(record, *args), "checksum_type": record.get("checksum_type")}

    def patched_to_record(entry: dict[str, Any]) -> dict[str, Any]:
        return {**to_record(entry), "checksum_type": entry.get("checksum_type")}

    s3._version_entry_from_record = patched_to_entry
    s3._object_record_from_version = patched_to_record


def _store_full_object_checksums_of_multipart_uploads() -> None:
    """A multipart upload without an algorithm has a CRC-64/NVME of the whole object.

    Each CRC can be of the whole object (FULL_OBJECT). MiniStack stores composite checksums only, and none
    without an algorithm.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """
    create, complete, composite = (
        s3._create_multipart_upload,
        s3._complete_multipart_upload,
        s3._composite_checksum,
    )

    def patched_create(bucket: str, key: str, headers: dict[str, str]) -> Response:
        named = headers.get("x-amz-checksum-algorithm") or headers.get("x-amz-sdk-checksum-algorithm")
        algorithm = (named or DEFAULT_ALGORITHM).upper()
        supported = TYPES.get(algorithm, ("COMPOSITE",))
        kind = headers.get("x-amz-checksum-type", supported[0]).upper()
        if kind not in supported:
            message = f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."
            return s3._error("InvalidRequest", message, 400, f"/{bucket}/{key}")
        response = create(bucket, key, {**headers, "x-amz-checksum-algorithm": algorithm})
        status, response_headers, body = response
        upload_id = re.search(b"<UploadId>([^<]+)", body)
        if status != 200 or not upload_id:
            return response
        s3._multipart_uploads[upload_id[1].decode()]["checksum_type"] = kind
        described = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind} if named else {}
        others = {k: v for k, v in response_headers.items() if not k.startswith("x-amz-checksum-")}
        return status, {**others, **described}, body

    def patched_complete(
        bucket: str, key: str, body: bytes, query: dict[str, Any], headers: dict[str, str] | None = None
    ) -> Response:
        upload = s3._multipart_uploads.get(s3._qp(query, "uploadId"), {})
        if upload.get("checksum_type") != "FULL_OBJECT":
            return complete(bucket, key, body, query, headers)
        numbers = sorted(int(number) for number in re.findall(rb"<PartNumber>\s*(\d+)", body))
        whole = b"".join(upload["parts"][number]["body"] for number in numbers if number in upload["parts"])
        token = COMPLETED.set(s3._compute_s3_checksum(upload["checksum_algorithm"], whole))
        try:
            status, response_headers, xml = complete(bucket, key, body, query, headers)
        finally:
            COMPLETED.reset(token)
        response = status, response_headers, xml.replace(b">COMPOSITE<", b">FULL_OBJECT<")
        replay = s3._completed_multipart_uploads.get(s3._qp(query, "uploadId"))
        if replay:
            replay["response"] = response
        return response

    s3._create_multipart_upload = patched_create
    s3._complete_multipart_upload = patched_complete
    s3._composite_checksum = lambda *args: COMPLETED.get() or composite(*args)


def _compute_checksums_of_copied_parts() -> None:
    """A part that is copied from an object has a checksum like every other part.

    MiniStack stores none, so the whole object would have none.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
    """
    original = s3._upload_part_copy

    def patched(bucket: str, key: str, query: dict[str, Any], headers: dict[str, str]) -> Response:
        response = original(bucket, key, query, headers)
        if response[0] == 200:
            upload = s3._multipart_uploads[s3._qp(query, "uploadId")]
            part = upload["parts"][int(s3._qp(query, "partNumber", "1"))]
            part["checksums"] = _whole_checksums([upload["checksum_algorithm"]], part["body"])
        return response

    s3._upload_part_copy = patched


def _refuse_a_copy_that_changes_nothing() -> None:
    """S3 refuses to copy the current version of an object onto itself unless the request changes something.

    MiniStack makes a new version.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    """
    original = s3._copy_object
    changes = (
        "x-amz-storage-class",
        "x-amz-website-redirect-location",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-checksum-algorithm",
    )

    def patched(bucket: str, key: str, headers: dict[str, str]) -> Response:
        source = s3.url_unquote(headers.get("x-amz-copy-source", "").lstrip("/"))
        is_changed = headers.get("x-amz-metadata-directive", "").upper() == "REPLACE" or any(
            name in headers for name in changes
        )
        if source == f"{bucket}/{key}" and not is_changed:
            message = (
                "This copy request is illegal because it is trying to copy an object to itself without "
                "changing the object's metadata, storage class, website redirect location or encryption "
                "attributes."
            )
            return s3._error("InvalidRequest", message, 400, f"/{bucket}/{key}")
        return original(bucket, key, headers)

    s3._copy_object = patched


def _describe_a_copy_as_one_part() -> None:
    """The ETag of a copy is the MD5 of its bytes, and its checksum is that of the whole object.

    The algorithm is the source's, or that of the request.
    MiniStack keeps the ETag and the composite checksum of a source that was uploaded in parts.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """
    copy, record_version, fire = s3._copy_object, s3._record_object_version, s3._fire_s3_event_async

    def patched_copy(bucket: str, key: str, headers: dict[str, str]) -> Response:
        token = COPIED.set({"algorithm": headers.get("x-amz-checksum-algorithm", "").upper()})
        try:
            status, response_headers, body = copy(bucket, key, headers)
            etags = COPIED.get() or {}
        finally:
            COPIED.reset(token)
        if "to" in etags:
            body = body.replace(etags["from"].strip('"').encode(), etags["to"].strip('"').encode())
        return status, response_headers, body

    def patched_record_version(
        bucket: str, key: str, prior: dict[str, Any] | None, record: dict[str, Any], data: bytes
    ) -> str | None:
        copied = COPIED.get()
        if COMPLETED.get():
            record["checksum_type"] = "FULL_OBJECT"
        if copied is not None:
            algorithms = [copied["algorithm"]] if copied["algorithm"] else list(record["checksums"])
            record["checksums"] = _whole_checksums(algorithms or [DEFAULT_ALGORITHM], data)
            etag = f'"{hashlib.md5(data).hexdigest()}"'
            copied.update({"from": record["etag"], "to": etag})
            record["etag"] = etag
        return record_version(bucket, key, prior, record, data)

    def patched_fire(*args: Any, etag: str = "", **kwargs: Any) -> None:
        copied = COPIED.get()
        fire(*args, etag=copied["to"] if copied else etag, **kwargs)

    s3._copy_object = patched_copy
    s3._record_object_version = patched_record_version
    s3._fire_s3_event_async = patched_fire


def _tag_versions_of_deleted_objects() -> None:
    """The tags of a version can be read and written while a delete marker hides the object.

    MiniStack answers that there is no such key.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html
    """

    def with_version_visible(original: Callable[..., Response]) -> Callable[..., Response]:
        def patched(bucket: str, key: str, *args: Any) -> Response:
            objects = (s3._ensure_bucket(bucket) or {}).get("objects", {})
            wanted = s3._qp(args[-1] or {}, "versionId")
            versions = s3._object_versions.get((bucket, key), [])
            is_stored = any(v["version_id"] == wanted and not v.get("is_delete_marker") for v in versions)
            if key in objects or not is_stored:
                return original(bucket, key, *args)
            objects[key] = {}
            try:
                return original(bucket, key, *args)
            finally:
                del objects[key]

        return patched

    for name in ("_get_object_tagging", "_put_object_tagging", "_delete_object_tagging"):
        setattr(s3, name, with_version_visible(getattr(s3, name)))


def _encode_metadata_as_rfc_2047() -> None:
    """S3 stores metadata decoded from RFC 2047, or from Latin-1, and returns non-ASCII text in RFC 2047.

    MiniStack returns the bytes that it received.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html#UserMetadata
    """
    original = s3._extract_user_metadata

    def stored(value: str) -> str:
        try:
            text = str(make_header(decode_header(value)))
        except (HeaderParseError, LookupError, UnicodeError):
            text = value
        if text.isascii():
            return text
        if text == value:  # The gateway has decoded UTF-8.
            text = value.encode().decode("latin-1")
        return f"=?UTF-8?B?{base64.b64encode(text.encode()).decode()}?="

    s3._extract_user_metadata = lambda headers: {k: stored(v) for k, v in original(headers).items()}


def _refuse_long_keys() -> None:
    """S3 refuses a key of more than 1,024 bytes in UTF-8.

    MiniStack accepts it. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    """
    original = s3.handle_request

    async def patched(method: str, path: str, headers: dict[str, str], *args: Any, **kwargs: Any) -> Response:
        _, key = s3._parse_bucket_key(path, headers)
        if len(key.encode()) > MAX_KEY_BYTES:
            status, error_headers, error = s3._error("KeyTooLongError", "Your key is too long", 400, path)
            return status, error_headers, b"" if method == "HEAD" else error
        return await original(method, path, headers, *args, **kwargs)

    s3.handle_request = patched


def _whole_checksums(algorithms: list[str], data: bytes) -> dict[str, str]:
    """Returns the checksums of these bytes by algorithm, in S3's encoding."""
    return {algorithm: s3._compute_s3_checksum(algorithm, data) for algorithm in algorithms}
