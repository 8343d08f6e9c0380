"""A change, rehearsed in the local AWS: the base is deployed, the change over it, and what happens is observed.

A rehearsal goes forward through these modules: trees (the base and the change, synthesized, and the CDK CLI that
deploys them), account (what exists), clients (which use the queue all the time), signed_calls (what the user may do),
rehearse (the sequence), predictions (what the review says), observations (what was seen beside what it says), report.
"""
