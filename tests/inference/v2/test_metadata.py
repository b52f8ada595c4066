"""The protocol's metadata of models and of the repository."""

from __future__ import annotations

from wsgi_core.inference import IndexEntry, ModelRepository, v2


def test_the_server_names_itself_and_what_it_can_do() -> None:
    metadata = v2.server_metadata()
    assert set(metadata) == {"name", "version", "extensions"}
    assert metadata["name"] == "wsgi_core"
    assert metadata["version"]


def test_a_model_without_a_card_is_described_by_its_file() -> None:
    model = ModelRepository().get("churn")
    metadata = v2.model_metadata(model, ["1"])
    assert metadata["inputs"] == [{"name": "features", "datatype": "FP32", "shape": (-1, 5)}]
    assert [output["datatype"] for output in metadata["outputs"]] == ["INT64", "FP32"]
    config = v2.model_config(model)
    assert config["output"][0] == {"name": "label", "data_type": "TYPE_INT64", "dims": (-1,)}


def test_an_index_may_be_of_what_is_ready_alone() -> None:
    entries = [IndexEntry("a", "1", "READY", ""), IndexEntry("a", "2", "UNAVAILABLE", "broken")]
    assert [entry["version"] for entry in v2.repository_index(entries, ready=False)] == ["1", "2"]
    assert v2.repository_index(entries, ready=True) == [{"name": "a", "version": "1", "state": "READY", "reason": ""}]
