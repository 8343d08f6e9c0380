"""What AWS's errors mean, as one line for a person that ends in what to try next."""

from __future__ import annotations

from botocore import exceptions as aws

_BAD_CREDENTIALS = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
_NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


def error_code(error: aws.ClientError) -> str:
    """The error's code as botocore gives it: the query-compatible one where the service sends two."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_no_such_queue(error: aws.ClientError) -> bool:
    return error_code(error) in _NO_QUEUE


def is_denied(error: aws.ClientError) -> bool:
    return error_code(error) in _DENIED


def explain(error: aws.BotoCoreError | aws.ClientError) -> str | None:
    """One line on an error of AWS or of the way there, or None where it is not one that a caller can expect."""
    if isinstance(error, aws.ClientError):
        return _explain_answer(error)
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError, aws.TokenRetrievalError)):
        return f"no usable AWS credentials ({text}). Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if isinstance(error, (aws.CredentialRetrievalError, aws.SSOError, aws.LoginError)):
        return f"AWS credentials could not be fetched ({text}). Sign in again, or choose another AWS_PROFILE"
    if isinstance(error, aws.ProfileNotFound):
        return f"{text}. `aws configure list-profiles` lists those that exist; AWS_PROFILE chooses one"
    if isinstance(error, (aws.NoRegionError, aws.InvalidRegionError)):
        return f"{text}. Set AWS_DEFAULT_REGION, or `region` in the profile"
    if isinstance(error, aws.SSLError):
        return f"the TLS certificate was not accepted: {text}. Is AWS_CA_BUNDLE right for this endpoint?"
    if isinstance(error, (aws.HTTPClientError, aws.ConnectionError)):
        return f"no answer from AWS: {text}. Check the network, the region and AWS_ENDPOINT_URL, then try again"
    if isinstance(error, (aws.ParamValidationError, aws.InvalidEndpointConfigurationError, aws.ConfigParseError)):
        return text
    return None


def _explain_answer(error: aws.ClientError) -> str:
    code = error_code(error)
    message = " ".join(str(error.response.get("Error", {}).get("Message", "")).split()).rstrip(".")
    said = f"{error.operation_name}: {message or 'no message'} ({code})"
    if code in _BAD_CREDENTIALS:
        return f"{said}. AWS does not know this access key: check AWS_PROFILE or AWS_ACCESS_KEY_ID"
    if code == "SignatureDoesNotMatch":
        return f"{said}. The secret does not belong to the access key: check AWS_SECRET_ACCESS_KEY, and the clock"
    if code in _EXPIRED:
        return f"{said}. Sign in again, or check the clock"
    if code in _DENIED:
        return f"{said}. Ask for the right that is named, or use other credentials (AWS_PROFILE)"
    if code in _NO_QUEUE:
        return f"{said}. Check the queue's name, the region and the account"
    return said
