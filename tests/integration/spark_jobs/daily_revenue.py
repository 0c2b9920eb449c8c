"""A Spark application as teams write them: a join and an aggregate into Delta, and two readers of a Kafka topic.

Its one argument is a JSON file: `lake` (folder with the Parquet tables), `jars`, `url`, `token`, `brokers`, `topic`.
"""

import json
import logging
import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it

import wherefrom.spark

given = json.loads(Path(sys.argv[1]).read_text())
lake = Path(given["lake"])
logging.basicConfig()

builder = SparkSession.builder.master("local[2]").appName("Daily revenue")
for name, value in {
    "spark.jars": ",".join(given["jars"]),
    "spark.extraListeners": "io.openlineage.spark.agent.OpenLineageSparkListener",
    "spark.openlineage.transport.type": "http",
    "spark.openlineage.transport.url": given["url"],
    "spark.openlineage.transport.auth.type": "api_key",
    "spark.openlineage.transport.auth.apiKey": given["token"],
    "spark.openlineage.namespace": "shop",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.local.dir": str(lake / "tmp"),
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.warehouse.dir": str(lake / "warehouse"),
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()

orders, customers, products = (spark.read.parquet(str(lake / name)) for name in ("orders", "customers", "products"))
revenue = (
    orders.join(customers, "customer_id")
    .join(products, "product_id")
    .where(F.col("quantity") > 0)
    .groupBy("country", "category")
    .agg(F.sum(F.col("quantity") * F.col("price")).alias("revenue"), F.count("order_id").alias("orders"))
)
revenue.write.format("delta").mode("overwrite").save(str(lake / "revenue"))

spark.read.format("delta").load(str(lake / "revenue")).createOrReplaceTempView("revenue")
spark.sql("CREATE TABLE history USING delta AS SELECT country, revenue FROM revenue")
spark.sql("INSERT INTO history SELECT country, revenue FROM revenue")

with wherefrom.spark.keep_kafka_offsets(spark) as offsets:
    options = {"kafka.bootstrap.servers": given["brokers"], "subscribe": given["topic"]}
    pinned = wherefrom.spark.pin_kafka_offsets(spark, options)
    clicks = spark.read.format("kafka").options(**pinned).load()
    clicks.groupBy("partition").count().write.format("delta").save(str(lake / "clicks_by_partition"))
    spark.read.format("kafka").options(**options).load().write.format("noop").mode("overwrite").save()
    # The newer of Spark's two ways to read it, which has another plan.
    spark.conf.set("spark.sql.sources.useV1SourceList", "avro,csv,json,orc,parquet,text")
    spark.read.format("kafka").options(**pinned).load().write.format("noop").mode("overwrite").save()
    query = (
        spark.readStream.format("kafka")
        .options(**options, startingOffsets="earliest", maxOffsetsPerTrigger="6")
        .load()
        .writeStream.format("delta")
        .option("checkpointLocation", str(lake / "checkpoint"))
        .trigger(availableNow=True)
        .start(str(lake / "clicks"))
    )
    query.awaitTermination()
print(json.dumps({"sent": offsets.sent}))
spark.stop()
# What py4j keeps listening for is a daemon's thread; nothing is left to wait for.
sys.stdout.flush()
os._exit(0)
