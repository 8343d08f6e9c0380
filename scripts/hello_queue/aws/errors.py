"""Explanations of AWS's errors: one line for a person, ending in what to try next."""

from __future__ import annotations

import os
import shlex

from botocore import exceptions as aws

_BAD_CREDENTIALS = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
_NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
_NOT_FOUND = {"NoSuchEntity", "ResourceNotFoundException"}
_BAD_CONFIGURATION = (
    *(aws.ParamValidationError, aws.InvalidEndpointConfigurationError, aws.ConfigParseError, aws.ConfigNotFound),
    *(aws.InvalidConfigError, aws.InvalidRetryModeError, aws.InvalidRetryConfigurationError),
    *(aws.InvalidMaxRetryAttemptsError, aws.InvalidDefaultsMode, aws.InvalidProxiesConfigError),
    *(aws.InvalidSTSRegionalEndpointsConfigError, aws.InvalidIMDSEndpointError, aws.InvalidIMDSEndpointModeError),
    *(aws.MetadataRetrievalError, aws.UnknownCredentialError, aws.RefreshWithMFAUnsupportedError),
    *(aws.MissingDependencyException, aws.EndpointProviderError, aws.UnknownEndpointError),
)


def error_code(error: aws.ClientError) -> str:
    """The error code that botocore reports: the query-compatible one where the service sends two."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_no_such_queue(error: aws.ClientError) -> bool:
    """Whether the queue does not exist."""
    return error_code(error) in _NO_QUEUE


def is_denied(error: aws.ClientError) -> bool:
    """Whether the caller lacks a right."""
    return error_code(error) in _DENIED


def may_be_propagating(error: aws.BotoCoreError | aws.ClientError) -> bool:
    """Whether AWS may answer like this for a while after a deployment: what was created is not known everywhere yet.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"""
    codes = _BAD_CREDENTIALS | _DENIED | _NO_QUEUE | _NOT_FOUND
    return isinstance(error, aws.ClientError) and error_code(error) in codes


def explain(error: aws.BotoCoreError | aws.ClientError) -> str | None:
    """One line about an error of AWS or of the connection to it, or None if the error is a bug."""
    if isinstance(error, aws.ClientError):
        return _explain_response(error)
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, aws.LoginError):
        return f"the session of `aws login` cannot be used ({text}). Sign in again: {_login_command()}"
    if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError, aws.TokenRetrievalError)):
        return f"no usable AWS credentials ({text}). Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if isinstance(error, (aws.CredentialRetrievalError, aws.SSOError)):
        return f"AWS credentials cannot be retrieved ({text}). Sign in again, or choose another AWS_PROFILE"
    if isinstance(error, aws.ProfileNotFound):
        return f"{text}. `aws configure list-profiles` lists the existing ones; AWS_PROFILE chooses one"
    if isinstance(error, (aws.NoRegionError, aws.InvalidRegionError)):
        return f"{text}. Set AWS_DEFAULT_REGION, or `region` in the profile"
    if isinstance(error, aws.SSLError):
        return f"the TLS certificate was not accepted: {text}. Is AWS_CA_BUNDLE right for this endpoint?"
    if isinstance(error, (aws.HTTPClientError, aws.ConnectionError)):
        return f"no response from AWS: {text}. Check the network, the region and AWS_ENDPOINT_URL, then try again"
    if isinstance(error, _BAD_CONFIGURATION):
        return f"{text}. Check the AWS_ variables and the profile"
    return None


def _login_command() -> str:
    profile = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
    return f"`aws login --profile {shlex.quote(profile)}`" if profile else "`aws login` (--profile NAME: for a profile)"


def _explain_response(error: aws.ClientError) -> str:
    code = error_code(error)
    message = " ".join(str(error.response.get("Error", {}).get("Message", "")).split()).rstrip(".")
    text = f"{error.operation_name}: {message or 'no message'} ({code})"
    if code in _BAD_CREDENTIALS:
        return f"{text}. AWS does not know this access key: check AWS_PROFILE or AWS_ACCESS_KEY_ID"
    if code == "SignatureDoesNotMatch":
        return f"{text}. The secret does not match the access key: check AWS_SECRET_ACCESS_KEY, and the clock"
    if code in _EXPIRED:
        return f"{text}. Sign in again, or check the clock"
    if code in _DENIED:
        return f"{text}. Ask for this right, or use other credentials (AWS_PROFILE)"
    if code in _NO_QUEUE:
        return f"{text}. Check the queue's name, the region and the account"
    return text
