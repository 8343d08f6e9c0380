"""Publicly known ways in which rights lead to more rights, up to those of an administrator.

Collected from the research of Rhino Security Labs on privilege escalation in AWS, from the catalogues pathfinding.cloud
and HackTricks Cloud, and from what AWS documents of services that run code with a role. Where a resource with more
rights is needed, such as a role or a function, it is assumed to exist.
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
from hello_queue.review.rights.decision import Requests
from hello_queue.review.rights.policies import Holds, Policies, Search, Truth, all_of, not_
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
a service-specific credential of another user: iam:CreateServiceSpecificCredential on others
another user's service-specific credential: iam:ResetServiceSpecificCredential on others
attaching a policy to a user: iam:AttachUserPolicy
attaching a policy to a group: iam:AttachGroupPolicy
attaching a policy to a role: iam:AttachRolePolicy
an inline policy of a user: iam:PutUserPolicy
an inline policy of a group: iam:PutGroupPolicy
an inline policy of a role: iam:PutRolePolicy
joining a group: iam:AddUserToGroup
the trust policy of a role: iam:UpdateAssumeRolePolicy
removing the permissions boundary of a user: iam:DeleteUserPermissionsBoundary
removing the permissions boundary of a role: iam:DeleteRolePermissionsBoundary
another permissions boundary of a user: iam:PutUserPermissionsBoundary
another permissions boundary of a role: iam:PutRolePermissionsBoundary
the metadata of a SAML provider: iam:UpdateSAMLProvider
a client of an OpenID Connect provider: iam:AddClientIDToOpenIDConnectProvider
the thumbprints of an OpenID Connect provider: iam:UpdateOpenIDConnectProviderThumbprint
assuming a role: sts:AssumeRole
the root user of another account: sts:AssumeRoot
a trust anchor: iam:PassRole to rolesanywhere, rolesanywhere:CreateTrustAnchor, rolesanywhere:CreateProfile
a trust anchor's certificates: rolesanywhere:UpdateTrustAnchor
a permission set's policy: sso:PutInlinePolicyToPermissionSet, sso:ProvisionPermissionSet
a permission set's managed policy: sso:AttachManagedPolicyToPermissionSet, sso:ProvisionPermissionSet
a permission set's customer managed policy: sso:AttachCustomerManagedPolicyReferenceToPermissionSet, \
sso:ProvisionPermissionSet
an assignment to a permission set: sso:CreateAccountAssignment
joining a group of Identity Center: identitystore:CreateGroupMembership
joining a group of the directory of Identity Center: sso-directory:AddMemberToGroup
another user's password in Identity Center: sso-directory:UpdatePassword
a service control policy: organizations:UpdatePolicy
detaching a service control policy: organizations:DetachPolicy
leaving the organization: organizations:LeaveOrganization
a function's code: lambda:UpdateFunctionCode
a function's layers: lambda:UpdateFunctionConfiguration
a function that is called: iam:PassRole to lambda, lambda:CreateFunction, lambda:InvokeFunction
a function that is called asynchronously: iam:PassRole to lambda, lambda:CreateFunction, lambda:InvokeAsync
a function with a URL: iam:PassRole to lambda, lambda:CreateFunction, lambda:CreateFunctionUrlConfig, \
lambda:InvokeFunctionUrl
a function behind a queue or stream: iam:PassRole to lambda, lambda:CreateFunction, lambda:CreateEventSourceMapping
a function that others may call: iam:PassRole to lambda, lambda:CreateFunction, lambda:AddPermission
an instance: iam:PassRole to ec2, ec2:RunInstances
a spot instance: iam:PassRole to ec2, ec2:RequestSpotInstances
a fleet: iam:PassRole to ec2, ec2:CreateLaunchTemplate, ec2:CreateFleet
a spot fleet: iam:PassRole to ec2, ec2:RequestSpotFleet
an instance's role: iam:PassRole to ec2, ec2:AssociateIamInstanceProfile
the role of an instance profile: iam:PassRole to ec2, iam:AddRoleToInstanceProfile
another role of an instance: iam:PassRole to ec2, ec2:ReplaceIamInstanceProfileAssociation
an instance's user data: ec2:ModifyInstanceAttribute, ec2:StopInstances, ec2:StartInstances
the root volume of an instance: ec2:CreateReplaceRootVolumeTask
a launch template: ec2:CreateLaunchTemplateVersion, ec2:ModifyLaunchTemplate
an auto scaling group: iam:PassRole to ec2, autoscaling:CreateLaunchConfiguration, autoscaling:CreateAutoScalingGroup
a new auto scaling group with a launch template: iam:PassRole to ec2, ec2:CreateLaunchTemplate, \
autoscaling:CreateAutoScalingGroup
the launch template of an auto scaling group: iam:PassRole to ec2, ec2:CreateLaunchTemplate, \
autoscaling:UpdateAutoScalingGroup
a shell on an instance, by SSH: ec2-instance-connect:SendSSHPublicKey
a shell on an instance, by serial console: ec2-instance-connect:SendSerialConsoleSSHPublicKey
a shell on an instance, by Session Manager: ssm:StartSession
a command on an instance: ssm:SendCommand
an association of State Manager: ssm:CreateAssociation
another association of State Manager: ssm:UpdateAssociation
a document of Systems Manager: ssm:UpdateDocument, ssm:UpdateDocumentDefaultVersion
a task of a maintenance window: iam:PassRole to ssm, ssm:RegisterTaskWithMaintenanceWindow
an automation: iam:PassRole to ssm, ssm:StartAutomationExecution
a stack: iam:PassRole to cloudformation, cloudformation:CreateStack
a stack's template: cloudformation:UpdateStack
a change set: cloudformation:CreateChangeSet, cloudformation:ExecuteChangeSet
a stack set: iam:PassRole to cloudformation, cloudformation:CreateStackSet, cloudformation:CreateStackInstances
a stack set's template: iam:PassRole to cloudformation, cloudformation:UpdateStackSet
a resource by Cloud Control API: iam:PassRole to cloudformation, cloudformation:CreateResource
a changed resource by Cloud Control API: iam:PassRole to cloudformation, cloudformation:UpdateResource
a product of Service Catalog: iam:PassRole to servicecatalog, servicecatalog:CreateProduct, \
servicecatalog:CreateConstraint, servicecatalog:ProvisionProduct
a build: codebuild:StartBuild
a batch of builds: codebuild:StartBuildBatch
a build project: codebuild:UpdateProject
a sandbox of a build project: codebuild:StartSandbox, codebuild:StartCommandExecution
a pipeline: iam:PassRole to codepipeline, codepipeline:CreatePipeline
a deployment to instances: codedeploy:CreateDeployment, codedeploy:RegisterApplicationRevision
a version of an Elastic Beanstalk application: elasticbeanstalk:CreateApplicationVersion, \
elasticbeanstalk:UpdateEnvironment
a service of App Runner: iam:PassRole to tasks.apprunner, apprunner:CreateService
an image of an App Runner service: apprunner:UpdateService
a task: iam:PassRole to ecs-tasks, ecs:RunTask
a service of tasks: iam:PassRole to ecs-tasks, ecs:RegisterTaskDefinition, ecs:CreateService
another task definition of a service: iam:PassRole to ecs-tasks, ecs:RegisterTaskDefinition, ecs:UpdateService
a task on an instance: iam:PassRole to ecs-tasks, ecs:StartTask
a shell in a task: ecs:ExecuteCommand
a batch job: iam:PassRole to ecs-tasks, batch:RegisterJobDefinition, batch:SubmitJob
an access entry of a cluster: eks:CreateAccessEntry, eks:AssociateAccessPolicy
the role of pods: iam:PassRole to pods.eks, eks:CreatePodIdentityAssociation
a Glue development endpoint: iam:PassRole to glue, glue:CreateDevEndpoint
a key of a Glue development endpoint: glue:UpdateDevEndpoint
a Glue job: iam:PassRole to glue, glue:CreateJob, glue:StartJobRun
a Glue job with a trigger: iam:PassRole to glue, glue:CreateJob, glue:CreateTrigger
a Glue job's script: iam:PassRole to glue, glue:UpdateJob, glue:StartJobRun
a Glue job's script and a trigger: iam:PassRole to glue, glue:UpdateJob, glue:CreateTrigger
a Glue session: iam:PassRole to glue, glue:CreateSession, glue:RunStatement
a notebook: iam:PassRole to sagemaker, sagemaker:CreateNotebookInstance
a training job: iam:PassRole to sagemaker, sagemaker:CreateTrainingJob
a processing job: iam:PassRole to sagemaker, sagemaker:CreateProcessingJob
a tuning job: iam:PassRole to sagemaker, sagemaker:CreateHyperParameterTuningJob
a pipeline of SageMaker: iam:PassRole to sagemaker, sagemaker:CreatePipeline, sagemaker:StartPipelineExecution
a model: iam:PassRole to sagemaker, sagemaker:CreateModel, sagemaker:CreateEndpointConfig, sagemaker:CreateEndpoint
access to a notebook: sagemaker:CreatePresignedNotebookInstanceUrl
access to a SageMaker domain: sagemaker:CreatePresignedDomainUrl
a session in a SageMaker space: sagemaker:StartSession
a notebook's start script: sagemaker:CreateNotebookInstanceLifecycleConfig, sagemaker:StopNotebookInstance, \
sagemaker:UpdateNotebookInstance, sagemaker:StartNotebookInstance
a code interpreter: bedrock-agentcore:StartCodeInterpreterSession, bedrock-agentcore:InvokeCodeInterpreter
an agent runtime: iam:PassRole to bedrock-agentcore, bedrock-agentcore:CreateAgentRuntime, \
bedrock-agentcore:InvokeAgentRuntime
the code of an agent runtime: iam:PassRole to bedrock-agentcore, bedrock-agentcore:UpdateAgentRuntime
a command in an agent runtime: bedrock-agentcore:InvokeAgentRuntimeCommand
an agent: iam:PassRole to bedrock, bedrock:CreateAgent, bedrock:CreateAgentActionGroup, bedrock:PrepareAgent, \
bedrock:InvokeAgent
a data pipeline: iam:PassRole to datapipeline, datapipeline:CreatePipeline, datapipeline:PutPipelineDefinition, \
datapipeline:ActivatePipeline
a state machine: iam:PassRole to states, states:CreateStateMachine, states:StartExecution
a state machine's definition: states:UpdateStateMachine, states:StartExecution
a state that is tested: iam:PassRole to states, states:TestState
a schedule: iam:PassRole to scheduler, scheduler:CreateSchedule
a rule of EventBridge: iam:PassRole to events, events:PutRule, events:PutTargets
a pipe of EventBridge: iam:PassRole to pipes, pipes:CreatePipe
a cluster of EMR: iam:PassRole to elasticmapreduce, elasticmapreduce:RunJobFlow
a step on a cluster of EMR: elasticmapreduce:AddJobFlowSteps
a job of EMR Serverless: iam:PassRole to emr-serverless, emr-serverless:StartJobRun
a connector of MSK Connect: iam:PassRole to kafkaconnect, kafkaconnect:CreateCustomPlugin, kafkaconnect:CreateConnector
a Flink application: iam:PassRole to kinesisanalytics, kinesisanalytics:CreateApplication, \
kinesisanalytics:StartApplication
an experiment of FIS: iam:PassRole to fis, fis:CreateExperimentTemplate, fis:StartExperiment
an Airflow environment: iam:PassRole to airflow-env, airflow:CreateEnvironment
the command line of an Airflow environment: airflow:CreateCliToken
the roles of an identity pool: iam:PassRole to cognito-identity, cognito-identity:SetIdentityPoolRoles
the policy of a secret: secretsmanager:PutResourcePolicy
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
    # An action without resources is allowed on "*" only, not on any resource.
    resources = ["${*}" if each == "*" else each for each in resources]
    condition = Condition.parse("StringEquals", "iam:PassedToService", [f"{service}.amazonaws.com"])
    return Statement(True, (action,), tuple(resources), (condition,) if service else ())
