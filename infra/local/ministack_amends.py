"""Where MiniStack 1.5.33 falls short of AWS in a way that this stack runs into.

Each amendment says what AWS does; remove it when the pinned version does the
same. There is nothing here that makes the local cloud more lenient than AWS.
Imported inside MiniStack's environment only.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import ministack.app as front_door
from ministack.core import iam_evaluator, router
from ministack.services import dynamodb, eventbridge, lambda_svc, s3, sqs
from ministack.services.cloudformation import provisioners

Answer = tuple[int, dict[str, str], bytes]

TRACE: ContextVar[str] = ContextVar("trace", default="")
"""The tracing header of the request to S3 that is being answered."""


def amend() -> None:
    """Applies every amendment."""
    _read_ranges_of_versions()
    _take_numbers_of_event_source_mappings()
    _heed_the_origins_that_a_template_names()
    _take_no_token_for_a_signature()
    _parse_expressions_once()
    _repeat_what_a_stream_function_could_not_take()
    _leave_what_failed_of_a_rules_invocations()
    _hand_traces_on_with_notifications()
    _tell_missing_from_forbidden()


def _read_ranges_of_versions() -> None:
    """GetObject with both a versionId and a Range answers that range of that version.

    MiniStack then ignores the range. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    whole = s3._get_object

    def amended(
        bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None
    ) -> Answer:
        wanted = headers.get("range", "")
        if not wanted or not (query or {}).get("versionId"):
            return whole(bucket, key, headers, query)
        # A checksum of the whole says nothing about a part.
        unchecked = {k: v for k, v in headers.items() if k not in ("range", "x-amz-checksum-mode")}
        status, told, body = whole(bucket, key, unchecked, query)
        if status != 200:
            return status, told, body
        span = s3._parse_range(wanted, len(body))
        if span is None:
            refusal = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
            return 416, refusal, s3._xml_body(s3._range_error_xml(bucket, key))
        first, last = span
        part = body[first : last + 1]
        told["Content-Length"] = str(len(part))
        told["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        return 206, told, part

    s3._get_object = amended


def _take_numbers_of_event_source_mappings() -> None:
    """A Number parameter reaches MaximumConcurrency as a number.

    MiniStack keeps it a string, with which its poller then cannot calculate.
    """

    def with_numbers(properties: dict[str, Any]) -> dict[str, Any]:
        scaling = properties.get("ScalingConfig")
        if not scaling or "MaximumConcurrency" not in scaling:
            return properties
        return {**properties, "ScalingConfig": {"MaximumConcurrency": int(scaling["MaximumConcurrency"])}}

    _read_properties("AWS::Lambda::EventSourceMapping", with_numbers)


def _heed_the_origins_that_a_template_names() -> None:
    """The CorsConfiguration of a template is the gateway's.

    MiniStack keeps it under the template's names, and its gateway looks for those of the API itself.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
    """

    def with_names(properties: dict[str, Any]) -> dict[str, Any]:
        cors = properties.get("CorsConfiguration")
        if not cors:
            return properties
        return {**properties, "CorsConfiguration": {name[0].lower() + name[1:]: cors[name] for name in cors}}

    _read_properties("AWS::ApiGatewayV2::Api", with_names)


def _take_no_token_for_a_signature() -> None:
    """A route of an HTTP API that wants a signature refuses a request with anything else in its place.

    MiniStack refuses it for REST APIs alone, and takes it here.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html
    """
    enforce = front_door._enforce_execute_api

    def amended(
        api: str, stage: str, method: str, path: str, headers: dict[str, str], *more: Any, **named: Any
    ) -> Any:
        wanted = front_door._execute_api_authorization_type(api, stage, method, path)
        said = headers.get("authorization", "")
        if wanted == "AWS_IAM" and said and not said.startswith("AWS4-HMAC-SHA256"):
            return 403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}'
        return enforce(api, stage, method, path, headers, *more, **named)

    front_door._enforce_execute_api = amended


def _read_properties(kind: str, read: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Has a resource of this type made and updated with its properties as they are read."""
    handlers = provisioners._RESOURCE_HANDLERS[kind]
    for action, at in (("create", 1), ("update", 2)):
        handlers[action] = _with_argument(handlers[action], at, read)


def _with_argument(handler: Callable[..., Any], at: int, read: Callable[[Any], Any]) -> Callable[..., Any]:
    def amended(*arguments: Any) -> Any:
        return handler(*arguments[:at], read(arguments[at]), *arguments[at + 1 :])

    return amended


def _parse_expressions_once() -> None:
    """A condition is parsed once, and not anew for each item that it is held against.

    A query of an index with two hundred posts spends most of its time on that. What a
    condition means does not change; one that cannot be parsed is refused as before.
    """
    parse = lru_cache(maxsize=1024)(dynamodb._tokenize)
    dynamodb._tokenize = lambda expression: list(parse(expression))
    dynamodb._condition_syntax_error = lru_cache(maxsize=1024)(dynamodb._condition_syntax_error)


def _repeat_what_a_stream_function_could_not_take() -> None:
    """A stream's records come again from the first that the function names as failed.

    MiniStack takes such an answer for success. Here the whole batch comes again, of which AWS
    spares those in front. https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    execute = lambda_svc._execute_function

    def amended(function: dict[str, Any], event: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        result = execute(function, event, *arguments, **named)
        records = event.get("Records") if isinstance(event, dict) else None
        of_stream = bool(records) and records[0].get("eventSource") == "aws:dynamodb"
        body = result.get("body")
        answer = json.loads(body) if of_stream and isinstance(body, str) and body else body
        if of_stream and isinstance(answer, dict) and answer.get("batchItemFailures"):
            return {**result, "error": True}
        return result

    lambda_svc._execute_function = amended


def _leave_what_failed_of_a_rules_invocations() -> None:
    """A rule invokes a function as an event, with the function's own retries and destination for failures.

    MiniStack executes it once, and forgets that it failed. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
    """

    def amended(arn: str, payload: str) -> None:
        function, config, name = lambda_svc._get_func_record_for_ref(arn)
        if not function or not config:
            eventbridge.logger.warning("EventBridge: no function %s", name)
            return
        record = lambda_svc._execution_record_for_config(function, config)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = amended


def _hand_traces_on_with_notifications() -> None:
    """What a traced program puts into a bucket is told of in its trace: the message has an AWSTraceHeader.

    MiniStack forgets the header. https://docs.aws.amazon.com/xray/latest/devguide/xray-services-s3.html
    """
    answer, complete = s3.handle_request, sqs._ensure_msg_fields

    async def answering(method: str, path: str, headers: dict[str, str], *more: Any, **named: Any) -> Answer:
        before = TRACE.set(headers.get("x-amzn-trace-id", ""))
        try:
            return await answer(method, path, headers, *more, **named)
        finally:
            TRACE.reset(before)

    def completing(message: dict[str, Any]) -> None:
        complete(message)
        if TRACE.get():
            message["sys"]["AWSTraceHeader"] = TRACE.get()

    s3.handle_request = answering
    sqs._ensure_msg_fields = completing


def _tell_missing_from_forbidden() -> None:
    """That an object is not there is told to those alone who may list its bucket; to others it is forbidden.

    MiniStack tells everybody. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    answer = s3.handle_request

    async def amended(
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, Any],
        *more: Any,
        **named: Any,
    ) -> Answer:
        told = await answer(method, path, headers, body, query, *more, **named)
        bucket, _, key = path.lstrip("/").partition("/")
        # Of a version that is not there, AWS's page says nothing. The SDK names the call in `x-id`.
        if told[0] != 404 or method not in ("GET", "HEAD") or not key or query.keys() - {"x-id"}:
            return told
        caller, region = router.extract_access_key_id(headers, query), router.extract_region(headers, query)
        arn = f"arn:aws:s3:::{bucket}"
        if not iam_evaluator.enforce(caller, "s3:ListBucket", "s3", region, resource_arn=arn):
            return told
        status, said, refusal = s3._error("AccessDenied", "Access Denied", 403, path)
        return status, said, b"" if method == "HEAD" else refusal

    s3.handle_request = amended
