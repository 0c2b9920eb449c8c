"""Fingerprints of Spark DataFrames, made where the data is: the same ids as on one machine.

Executors hash rows with the kernel of `wherefrom.fingerprints`, Spark sorts the hashes, executors fold them into
compact ranges, the driver merges these. Executors need this package: docs/spark.md says how they get it. Importing this
room imports nothing of Spark's.
"""

from wherefrom.spark.driver import fingerprint, fingerprint_with_keys
from wherefrom.spark.kafka_offsets import KafkaOffsets, SparkRun, keep_kafka_offsets
from wherefrom.spark.kafka_pinning import pin_kafka_offsets

__all__ = [
    "KafkaOffsets",
    "SparkRun",
    "fingerprint",
    "fingerprint_with_keys",
    "keep_kafka_offsets",
    "pin_kafka_offsets",
]
