"""The engine in virtual time, against a model of SQS: a seed decides every interleaving, fault and delay."""
