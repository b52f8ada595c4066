"""Use a tracking server with MLflow's own client. The last line of the output is JSON with the client's results."""

import json
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

mlflow.set_tracking_uri(sys.argv[1])
client, told = MlflowClient(), []
experiment = client.create_experiment("conformance", tags={"purpose": "test"})
told.append(["experiment", client.get_experiment(experiment).name, dict(client.get_experiment(experiment).tags)])
run = client.create_run(experiment, run_name="first", tags={"who": "ada"})
client.log_param(run.info.run_id, "depth", 3)
for step in range(3):
    client.log_metric(run.info.run_id, "loss", 1 / (step + 1), step=step, timestamp=1000 + step)
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "notes.txt")
    file.write_text("kept with the run", encoding="utf-8")
    client.log_artifact(run.info.run_id, str(file), "texts")
    kept = client.download_artifacts(run.info.run_id, "texts/notes.txt", folder)
    told.append(["artifact", Path(kept).read_text(encoding="utf-8")])
client.set_terminated(run.info.run_id)
found = client.get_run(run.info.run_id)
told.append(["run", found.info.status, found.data.params, found.data.metrics, found.data.tags["who"]])
told.append(["history", [[m.value, m.step, m.timestamp] for m in client.get_metric_history(run.info.run_id, "loss")]])
told.append(["artifacts", [[f.path, f.is_dir, f.file_size] for f in client.list_artifacts(run.info.run_id)]])
told.append(["search", len(client.search_runs([experiment], "metrics.loss < 0.4")), len(client.search_experiments())])
client.create_registered_model("model", {"team": "a"}, "a description")
client.create_model_version("model", source=run.info.artifact_uri, run_id=run.info.run_id)
client.set_registered_model_alias("model", "best", 1)
told.append(["model", client.get_model_version_by_alias("model", "best").version])
for wrong in (lambda: client.get_run("nope"), lambda: client.create_experiment("conformance")):
    try:
        wrong()
    except MlflowException as error:
        told.append(["error", error.error_code, str(error).partition("\n")[0]])
client.delete_run(run.info.run_id)
told.append(["deleted", client.get_run(run.info.run_id).info.lifecycle_stage])
# MLflow also prints to standard output, so the results begin on a new line.
print("\n" + json.dumps(told))
