"""Patches for MiniStack 1.5.33, where its behaviour differs from AWS in a way that affects this stack.

The first line of a patch's docstring says what AWS does, and the rest what MiniStack does.
Remove a patch when the pinned version does what AWS does. No patch may make the local cloud
more lenient than AWS. Imported only in MiniStack's virtual environment.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import ministack.app as gateway
from ministack.core import iam_evaluator, router
from ministack.services import dynamodb, eventbridge, lambda_svc, s3, sqs
from ministack.services.cloudformation import provisioners

Response = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""

TRACE_HEADER: ContextVar[str] = ContextVar("trace_header", default="")
"""The tracing header of the S3 request in progress."""


def apply_all() -> None:
    """Applies every patch."""
    _honour_range_with_version_id()
    _convert_maximum_concurrency_to_a_number()
    _honour_cors_configuration()
    _reject_tokens_on_routes_with_iam_authorization()
    _cache_parsed_expressions()
    _retry_failed_stream_records()
    _invoke_rule_targets_asynchronously()
    _pass_trace_headers_to_notifications()
    _hide_missing_objects_without_list_permission()


def _honour_range_with_version_id() -> None:
    """GetObject with both a versionId and a Range returns that range of that version.

    MiniStack ignores the range. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    original = s3._get_object

    def patched(
        bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None
    ) -> Response:
        range_header = headers.get("range", "")
        if not range_header or not (query or {}).get("versionId"):
            return original(bucket, key, headers, query)
        # The checksum of the whole object does not apply to a range.
        without_range = {k: v for k, v in headers.items() if k not in ("range", "x-amz-checksum-mode")}
        status, response_headers, body = original(bucket, key, without_range, query)
        if status != 200:
            return status, response_headers, body
        span = s3._parse_range(range_header, len(body))
        if span is None:
            error_headers = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
            return 416, error_headers, s3._xml_body(s3._range_error_xml(bucket, key))
        first, last = span
        part = body[first : last + 1]
        response_headers["Content-Length"] = str(len(part))
        response_headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        return 206, response_headers, part

    s3._get_object = patched


def _convert_maximum_concurrency_to_a_number() -> None:
    """CloudFormation passes a parameter of type Number to MaximumConcurrency as a number.

    MiniStack passes a string, and its poller then fails in an arithmetic expression.
    """

    def with_number(properties: dict[str, Any]) -> dict[str, Any]:
        scaling = properties.get("ScalingConfig")
        if not scaling or "MaximumConcurrency" not in scaling:
            return properties
        return {**properties, "ScalingConfig": {"MaximumConcurrency": int(scaling["MaximumConcurrency"])}}

    _convert_properties("AWS::Lambda::EventSourceMapping", with_number)


def _honour_cors_configuration() -> None:
    """The gateway applies the CorsConfiguration of a template.

    MiniStack stores it with CloudFormation's names, and its gateway looks for the names of the API.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
    """

    def with_api_names(properties: dict[str, Any]) -> dict[str, Any]:
        cors = properties.get("CorsConfiguration")
        if not cors:
            return properties
        return {**properties, "CorsConfiguration": {name[0].lower() + name[1:]: cors[name] for name in cors}}

    _convert_properties("AWS::ApiGatewayV2::Api", with_api_names)


def _reject_tokens_on_routes_with_iam_authorization() -> None:
    """A route of an HTTP API with IAM authorization rejects any `Authorization` header but a signature.

    MiniStack rejects it for REST APIs only.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html
    """
    original = gateway._enforce_execute_api

    def patched(
        api: str, stage: str, method: str, path: str, headers: dict[str, str], *args: Any, **kwargs: Any
    ) -> Any:
        authorization_type = gateway._execute_api_authorization_type(api, stage, method, path)
        authorization = headers.get("authorization", "")
        is_signed = authorization.startswith("AWS4-HMAC-SHA256")
        if authorization_type == "AWS_IAM" and authorization and not is_signed:
            return 403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}'
        return original(api, stage, method, path, headers, *args, **kwargs)

    gateway._enforce_execute_api = patched


def _convert_properties(resource_type: str, convert: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Makes CloudFormation convert the properties of a resource type before it creates or updates one."""
    handlers = provisioners._RESOURCE_HANDLERS[resource_type]
    for action, position in (("create", 1), ("update", 2)):
        handlers[action] = _with_converted_argument(handlers[action], position, convert)


def _with_converted_argument(
    handler: Callable[..., Any], position: int, convert: Callable[[Any], Any]
) -> Callable[..., Any]:
    def patched(*args: Any) -> Any:
        return handler(*args[:position], convert(args[position]), *args[position + 1 :])

    return patched


def _cache_parsed_expressions() -> None:
    """Parses a condition expression once instead of once for each item.

    The only patch for speed: otherwise a query of an index with 200 posts spends most of its time parsing.
    The results do not change, and an invalid expression is rejected as before.
    """
    tokenize = lru_cache(maxsize=1024)(dynamodb._tokenize)
    dynamodb._tokenize = lambda expression: list(tokenize(expression))
    dynamodb._condition_syntax_error = lru_cache(maxsize=1024)(dynamodb._condition_syntax_error)


def _retry_failed_stream_records() -> None:
    """If a function reports failed records of a stream, Lambda delivers them again.

    MiniStack treats such a response as success. With this patch the whole batch is delivered again; AWS
    starts at the first failed record.
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    original = lambda_svc._execute_function

    def patched(function: dict[str, Any], event: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        result = original(function, event, *args, **kwargs)
        records = event.get("Records") if isinstance(event, dict) else None
        is_stream = bool(records) and records[0].get("eventSource") == "aws:dynamodb"
        body = result.get("body")
        response = json.loads(body) if is_stream and isinstance(body, str) and body else body
        if is_stream and isinstance(response, dict) and response.get("batchItemFailures"):
            return {**result, "error": True}
        return result

    lambda_svc._execute_function = patched


def _invoke_rule_targets_asynchronously() -> None:
    """A rule invokes a function asynchronously, with the function's retries and on-failure destination.

    MiniStack invokes it once and drops a failure.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
    """

    def patched(arn: str, payload: str) -> None:
        function, config, name = lambda_svc._get_func_record_for_ref(arn)
        if not function or not config:
            eventbridge.logger.warning("EventBridge: no function %s", name)
            return
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = patched


def _pass_trace_headers_to_notifications() -> None:
    """The S3 notification of a traced PUT has the PUT's trace header in AWSTraceHeader.

    MiniStack drops the header. https://docs.aws.amazon.com/xray/latest/devguide/xray-services-s3.html
    """
    handle_request, fill_message = s3.handle_request, sqs._ensure_msg_fields

    async def patched_handle_request(
        method: str, path: str, headers: dict[str, str], *args: Any, **kwargs: Any
    ) -> Response:
        token = TRACE_HEADER.set(headers.get("x-amzn-trace-id", ""))
        try:
            return await handle_request(method, path, headers, *args, **kwargs)
        finally:
            TRACE_HEADER.reset(token)

    def patched_fill_message(message: dict[str, Any]) -> None:
        fill_message(message)
        if TRACE_HEADER.get():
            message["sys"]["AWSTraceHeader"] = TRACE_HEADER.get()

    s3.handle_request = patched_handle_request
    sqs._ensure_msg_fields = patched_fill_message


def _hide_missing_objects_without_list_permission() -> None:
    """S3 answers 404 for a missing object only to callers with s3:ListBucket, and 403 to all others.

    MiniStack answers 404 to all. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    original = s3.handle_request

    async def patched(
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> Response:
        response = await original(method, path, headers, body, query, *args, **kwargs)
        bucket, _, key = path.lstrip("/").partition("/")
        # AWS's page does not cover a missing version, so such a request is left alone. The SDK adds `x-id`.
        if response[0] != 404 or method not in ("GET", "HEAD") or not key or query.keys() - {"x-id"}:
            return response
        caller, region = router.extract_access_key_id(headers, query), router.extract_region(headers, query)
        arn = f"arn:aws:s3:::{bucket}"
        if not iam_evaluator.enforce(caller, "s3:ListBucket", "s3", region, resource_arn=arn):
            return response
        status, error_headers, error = s3._error("AccessDenied", "Access Denied", 403, path)
        return status, error_headers, b"" if method == "HEAD" else error

    s3.handle_request = patched
