"""OpenLineage events from Kafka: a consumer group whose offsets move only past what is durably recorded.

A message may be read twice, after a crash or a rebalance, and the ledger knows it then: each event is in it once. What
is no event goes to a dead-letter topic, saying why and where from. Nothing is passed over while the database is away.
"""

from wherefrom.server.kafka.consumer import KafkaCounts, KafkaIntake
from wherefrom.server.kafka.settings import KafkaSettings, parse_options

__all__ = ["KafkaCounts", "KafkaIntake", "KafkaSettings", "parse_options"]
