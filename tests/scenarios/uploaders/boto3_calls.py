"""Makes S3 calls with boto3: `python boto3_calls.py CALLS`.

CALLS is a JSON list. Each item has the `name` of a method of boto3's client and its `arguments`,
and can have these fields: `body`, a file that becomes the argument Body; `config`, the arguments
of a TransferConfig; `error`, the code of the error that the call must end with.
`put_in_parts` is a method of this script.
"""

import json
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

PART_BYTES = 5 << 20

s3 = boto3.client("s3")


def put_in_parts(Bucket, Key, Body, **completion):
    """Uploads a file in parts; `completion` has further arguments of CompleteMultipartUpload."""
    upload = {"Bucket": Bucket, "Key": Key}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    parts = []
    while part := Body.read(PART_BYTES):
        number = len(parts) + 1
        etag = s3.upload_part(**upload, PartNumber=number, Body=part)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **completion)


for call in json.loads(sys.argv[1]):
    arguments = call["arguments"]
    if "body" in call:
        arguments["Body"] = open(call["body"], "rb")
    if "config" in call:
        arguments["Config"] = TransferConfig(**call["config"])
    method = put_in_parts if call["name"] == "put_in_parts" else getattr(s3, call["name"])
    try:
        method(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] != call.get("error"):
            raise
    else:
        if "error" in call:
            sys.exit(f"{call['name']} should end with {call['error']}, but succeeded")
