"""Publicly known ways in which rights lead to more rights, up to those of an administrator.

Collected from the research of Rhino Security Labs on privilege escalation in AWS, and from the catalogue
pathfinding.cloud. Where a resource with more rights is needed, such as a role or a function, it is assumed to exist.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hello_queue.review.rights.actions import examples, pattern
from hello_queue.review.rights.budget import Budget, TooComplexError
from hello_queue.review.rights.conditions import Condition
from hello_queue.review.rights.decision import Requests, Search
from hello_queue.review.rights.policies import Holds, Policies, Truth, all_of, not_
from hello_queue.review.rights.statements import Statement


@dataclass(frozen=True)
class Way:
    """A way to more rights.

    Attributes:
        name: completes "can become administrator through".
        needs: the actions that must all be allowed. ``iam:PassRole to SERVICE`` is passing a role to this service;
            ``on others`` excludes the holder itself.
    """

    name: str
    needs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(need.removesuffix(' on others') for need in self.needs)})"


_TABLE = """
a new version of a policy: iam:CreatePolicyVersion
a former version of a policy: iam:SetDefaultPolicyVersion
an access key of another user: iam:CreateAccessKey on others
a console password for another user: iam:CreateLoginProfile on others
another user's console password: iam:UpdateLoginProfile on others
attaching a policy to a user: iam:AttachUserPolicy
attaching a policy to a group: iam:AttachGroupPolicy
attaching a policy to a role: iam:AttachRolePolicy
an inline policy of a user: iam:PutUserPolicy
an inline policy of a group: iam:PutGroupPolicy
an inline policy of a role: iam:PutRolePolicy
joining a group: iam:AddUserToGroup
the trust policy of a role: iam:UpdateAssumeRolePolicy
assuming a role: sts:AssumeRole
a permission set's policy: sso:PutInlinePolicyToPermissionSet, sso:ProvisionPermissionSet
a permission set's managed policy: sso:AttachManagedPolicyToPermissionSet, sso:ProvisionPermissionSet
an assignment to a permission set: sso:CreateAccountAssignment
a function's code: lambda:UpdateFunctionCode
a function's layers: lambda:UpdateFunctionConfiguration
a function that is called: iam:PassRole to lambda, lambda:CreateFunction, lambda:InvokeFunction
a function behind a queue or stream: iam:PassRole to lambda, lambda:CreateFunction, lambda:CreateEventSourceMapping
a function that others may call: iam:PassRole to lambda, lambda:CreateFunction, lambda:AddPermission
an instance: iam:PassRole to ec2, ec2:RunInstances
a spot instance: iam:PassRole to ec2, ec2:RequestSpotInstances
an instance's role: iam:PassRole to ec2, ec2:AssociateIamInstanceProfile
another role of an instance: iam:PassRole to ec2, ec2:ReplaceIamInstanceProfileAssociation
an instance's user data: ec2:ModifyInstanceAttribute, ec2:StopInstances, ec2:StartInstances
a launch template: ec2:CreateLaunchTemplateVersion, ec2:ModifyLaunchTemplate
an auto scaling group: iam:PassRole to ec2, autoscaling:CreateLaunchConfiguration, autoscaling:CreateAutoScalingGroup
a shell on an instance, by SSH: ec2-instance-connect:SendSSHPublicKey
a shell on an instance, by Session Manager: ssm:StartSession
a command on an instance: ssm:SendCommand
an automation: iam:PassRole to ssm, ssm:StartAutomationExecution
a stack: iam:PassRole to cloudformation, cloudformation:CreateStack
a stack's template: cloudformation:UpdateStack
a change set: cloudformation:CreateChangeSet, cloudformation:ExecuteChangeSet
a stack set: iam:PassRole to cloudformation, cloudformation:CreateStackSet, cloudformation:CreateStackInstances
a stack set's template: iam:PassRole to cloudformation, cloudformation:UpdateStackSet
a build: codebuild:StartBuild
a batch of builds: codebuild:StartBuildBatch
a service of App Runner: iam:PassRole to tasks.apprunner, apprunner:CreateService
an image of an App Runner service: apprunner:UpdateService
a task: iam:PassRole to ecs-tasks, ecs:RegisterTaskDefinition, ecs:RunTask
a service of tasks: iam:PassRole to ecs-tasks, ecs:RegisterTaskDefinition, ecs:CreateService
a task on an instance: iam:PassRole to ecs-tasks, ecs:RegisterTaskDefinition, ecs:StartTask
a shell in a task: ecs:ExecuteCommand
a batch job: iam:PassRole to ecs-tasks, batch:RegisterJobDefinition, batch:SubmitJob
a Glue development endpoint: iam:PassRole to glue, glue:CreateDevEndpoint
a key of a Glue development endpoint: glue:UpdateDevEndpoint
a Glue job: iam:PassRole to glue, glue:CreateJob, glue:StartJobRun
a Glue job with a trigger: iam:PassRole to glue, glue:CreateJob, glue:CreateTrigger
a Glue job's script: iam:PassRole to glue, glue:UpdateJob, glue:StartJobRun
a Glue job's script and a trigger: iam:PassRole to glue, glue:UpdateJob, glue:CreateTrigger
a notebook: iam:PassRole to sagemaker, sagemaker:CreateNotebookInstance
a training job: iam:PassRole to sagemaker, sagemaker:CreateTrainingJob
a processing job: iam:PassRole to sagemaker, sagemaker:CreateProcessingJob
access to a notebook: sagemaker:CreatePresignedNotebookInstanceUrl
a notebook's start script: sagemaker:CreateNotebookInstanceLifecycleConfig, sagemaker:StopNotebookInstance, \
sagemaker:UpdateNotebookInstance, sagemaker:StartNotebookInstance
a code interpreter: bedrock-agentcore:StartCodeInterpreterSession, bedrock-agentcore:InvokeCodeInterpreter
a data pipeline: iam:PassRole to datapipeline, datapipeline:CreatePipeline, datapipeline:PutPipelineDefinition, \
datapipeline:ActivatePipeline
a state machine: iam:PassRole to states, states:CreateStateMachine, states:StartExecution
a schedule: iam:PassRole to scheduler, scheduler:CreateSchedule
a cluster of EMR: iam:PassRole to elasticmapreduce, elasticmapreduce:RunJobFlow
the roles of an identity pool: iam:PassRole to cognito-identity, cognito-identity:SetIdentityPoolRoles
"""


def _read() -> Iterator[Way]:
    for line in _TABLE.strip().splitlines():
        name, _, needs = line.partition(": ")
        yield Way(name, tuple(need.strip() for need in needs.split(", ")))


WAYS = tuple(_read())
"""No way needs all that another needs, and more."""


def new_ways(holder: str, before: Policies, after: Policies, budget: Budget | None = None) -> list[Way]:
    """The ways that are open to a holder of policies now and were not before."""
    if before == after:
        return []
    budget = budget or Budget()
    now = _open(holder, after, WAYS, budget, undecided=True)
    known = _open(holder, before, now, budget, undecided=False)
    return [way for way in now if way not in known]


def _open(holder: str, policies: Policies, ways: Sequence[Way], budget: Budget, *, undecided: bool) -> Sequence[Way]:
    """Those of the ways that are open, as far as it can be decided."""
    # Most ways are closed already by the names of the actions.
    ways = [way for way in ways if all(_is_named(need, policies) for need in way.needs)]
    if not ways:
        return []
    needs = {need: _needed(need) for way in ways for need in way.needs}
    itself = Policies((Statement(True, ("*",), (f"arn:aws:iam::*:user/{holder.partition(' ')[2]}",)),))
    has = dict.fromkeys(needs, undecided)
    with contextlib.suppress(TooComplexError):
        requests = Requests([*policies.statements, *needs.values(), *itself.statements], budget=budget)
        for need, statement in needs.items():
            goal = _allowed_on_others if need.endswith(" on others") else _allowed
            has[need] = requests.first(Search(statement, goal, itself, policies)) is not None
    return [way for way in ways if all(has[need] for need in way.needs)]


def _allowed(_: Policies, policies: Policies, holds: Holds) -> Truth:
    return policies.allowed(holds)


def _allowed_on_others(itself: Policies, policies: Policies, holds: Holds) -> Truth:
    return all_of([policies.allowed(holds), not_(itself.granted(holds))])


def _is_named(need: str, policies: Policies) -> bool:
    action = need.split()[0].lower()
    return any(
        each.but_actions != any(pattern(text).matches(action) for text in each.actions)
        for each in policies.statements
        if each.allows
    )


@functools.cache
def _needed(need: str) -> Statement:
    """The requests of which one must be allowed."""
    action, _, service = need.removesuffix(" on others").partition(" to ")
    resources = [re.sub(r"\$\{[^}]*\}|(?<=[:/])example|example(?=[:/])", "*", each) for each in examples(action)]
    condition = Condition.parse("StringEquals", "iam:PassedToService", [f"{service}.amazonaws.com"])
    return Statement(True, (action,), tuple(resources), (condition,) if service else ())
