"""Learn how late a flight arrives, and say how well that works."""

import json
import logging
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

import wherefrom

wherefrom.autolog()

HERE = Path(__file__).parent
logging.basicConfig(level=logging.INFO, format="%(message)s")
np.random.seed(13)

table = pd.read_parquet(HERE / "data" / "features.parquet")
X, y = table.drop(columns="arr_delay"), table["arr_delay"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=13)

model = HistGradientBoostingRegressor(max_iter=50, random_state=13)
model.fit(X_train, y_train)

error = float(mean_absolute_error(y_test, model.predict(X_test)))
logging.getLogger("train").info("mean absolute error %.2f minutes on %s flights", error, f"{len(y_test):,}")

(HERE / "models").mkdir(exist_ok=True)
joblib.dump(model, HERE / "models" / "delay.joblib")
(HERE / "models" / "metrics.json").write_text(json.dumps({"mean_absolute_error": error}) + "\n")
