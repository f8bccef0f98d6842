"""Weights: search, verification and download, against a web server on this machine with the real file layout."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from codeczoo.codecs import CodecError, WeightsCorrupt, WeightsMissing, families, family
from codeczoo.codecs import weights as module
from codeczoo.codecs.weights import LOCK_NAME, WeightFile, Weights, fetch, find, user_cache

CONTENT = bytes(range(256)) * 4_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Site(ThreadingHTTPServer):
    """Files by path; the first `break_after` bytes of each answer, then the connection breaks."""

    files: dict[str, bytes]
    break_after: int | None = None
    ranges: bool = True
    asked: list[tuple[str, str]]
    lfs: bool = True
    gated: bool = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Site

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        site = self.server
        path = self.path.partition("?")[0]
        site.asked.append((self.command, self.headers.get("Range") or ""))
        if site.gated:
            self.send_response(403)
            self.send_header("X-Error-Code", "GatedRepo")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if path.startswith("/api/models/org/model/revision/"):
            self._send(json.dumps(self._model_info()).encode(), body, {})
            return
        content = site.files.get(path)
        if content is None:
            self.send_error(404)
            return
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        self._send(content, body, headers)

    def _model_info(self) -> dict:
        prefix = f"/org/model/resolve/{COMMIT}/"
        siblings = []
        for path, content in self.server.files.items():
            sibling = {"rfilename": path.removeprefix(prefix), "size": len(content)}
            if self.server.lfs and path.endswith(".safetensors"):
                digest = hashlib.sha256(content).hexdigest()
                sibling["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 130}
            siblings.append(sibling)
        return {"id": "org/model", "sha": COMMIT, "siblings": siblings, "private": False, "tags": [], "downloads": 0}

    def _send(self, content: bytes, body: bool, headers: dict[str, str]) -> None:
        site = self.server
        start = 0
        asked = self.headers.get("Range")
        if asked and site.ranges:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            stop = len(content) if site.break_after is None else start + site.break_after
            self.wfile.write(content[start:stop])


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[_Site]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CODECZOO_WEIGHTS", raising=False)
    for name in ("HF_HOME", "HF_HUB_CACHE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = _Site(("127.0.0.1", 0), _Handler)
    server.files, server.asked = {"/v0/model.th": CONTENT}, []
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _plain(site: _Site, sha256: str = DIGEST, size_bytes: int | None = len(CONTENT)) -> Weights:
    return Weights(
        "toy-24khz", (WeightFile("model.th", sha256, size_bytes, f"{site.address}/v0/model.th"),), "toy:24khz"
    )


def test_fetched_weights_are_found(site: _Site) -> None:
    steps: list[tuple[str, int, int | None]] = []
    folder = fetch(_plain(site), lambda file, done, total: steps.append((file, done, total)))
    assert folder == user_cache() / "toy-24khz" == find(_plain(site))
    assert (folder / "model.th").read_bytes() == CONTENT
    assert steps[-1] == ("model.th", len(CONTENT), len(CONTENT))
    asked = len(site.asked)
    fetch(_plain(site))
    assert len(site.asked) == asked, "what is there is not fetched again"


def test_a_prefix_of_the_checksum_is_enough(site: _Site) -> None:
    fetch(_plain(site, DIGEST[:8], None))
    assert find(_plain(site, DIGEST[:8], None)) == user_cache() / "toy-24khz"
    with pytest.raises(WeightsCorrupt, match="expected SHA-256 00000000, got " + DIGEST):
        find(_plain(site, "00000000", None))


@pytest.mark.parametrize("wrong", [{"sha256": "0" * 64}, {"size_bytes": 7}])
def test_another_content_is_refused_and_not_kept(site: _Site, wrong: dict) -> None:
    with pytest.raises(WeightsCorrupt, match="Nothing was kept"):
        fetch(_plain(site, **wrong))
    assert [path.name for path in (user_cache() / "toy-24khz").iterdir()] == []


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_continued(site: _Site, ranges: bool) -> None:
    site.break_after = 300_000
    with pytest.raises(WeightsMissing, match=r"300000 of 1024000 bytes arrived.* 300000 bytes are kept"):
        fetch(_plain(site))
    with pytest.raises(WeightsMissing, match="not on this machine"):
        find(_plain(site))
    site.break_after, site.ranges = None, ranges
    fetch(_plain(site))
    assert site.asked[-1] == ("GET", "bytes=300000-")
    assert (find(_plain(site)) / "model.th").read_bytes() == CONTENT


def test_a_complete_part_is_only_verified(site: _Site) -> None:
    folder = user_cache() / "toy-24khz"
    folder.mkdir(parents=True)
    (folder / "model.th.part").write_bytes(CONTENT)
    fetch(_plain(site, size_bytes=None))
    assert (folder / "model.th").read_bytes() == CONTENT
    assert not (folder / "model.th.part").exists()


def test_a_file_from_a_disk(site: _Site, tmp_path: Path) -> None:
    (tmp_path / "model.th").write_bytes(CONTENT)
    file = WeightFile("model.th", DIGEST, url=(tmp_path / "model.th").as_uri())
    assert (fetch(Weights("toy", (file,))) / "model.th").read_bytes() == CONTENT


@pytest.mark.parametrize("address", ["http://example.org/model.th", "ftp://example.org/model.th", "model.th"])
def test_other_addresses_are_refused(site: _Site, address: str) -> None:
    with pytest.raises(CodecError, match="must be https:// or file://"):
        fetch(Weights("toy", (WeightFile("model.th", DIGEST, url=address),)))


def test_a_missing_page_is_a_sentence(site: _Site) -> None:
    file = WeightFile("model.th", DIGEST, url=f"{site.address}/gone.th")
    with pytest.raises(WeightsMissing, match="HTTP 404"):
        fetch(Weights("toy", (file,)))


@pytest.mark.parametrize("path", ["../evil.th", "/etc/evil.th", "a/../../evil.th", "..\\evil.th", "C:\\evil.th", ""])
def test_paths_that_leave_the_folder_are_refused(path: str) -> None:
    with pytest.raises(CodecError, match="not a path below"):
        WeightFile(path, DIGEST)
    with pytest.raises(CodecError, match="not a path below"):
        Weights(path, ())


def test_pinned_on_first_use(site: _Site) -> None:
    fetch(_plain(site, "", None))
    folder = find(_plain(site, "", None))
    assert json.loads((folder / LOCK_NAME).read_text()) == {"files": {"model.th": DIGEST}}
    (folder / "model.th").write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsCorrupt, match=f"expected SHA-256 {DIGEST} of {LOCK_NAME}"):
        find(_plain(site, "", None))
    (folder / "model.th").unlink()
    site.files["/v0/model.th"] = CONTENT + b"changed"
    with pytest.raises(WeightsCorrupt, match="Nothing was kept"):
        fetch(_plain(site, "", None))


def test_the_search_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    weights = Weights("toy", (WeightFile("model.th", DIGEST),))
    flat, nested = tmp_path / "flat", tmp_path / "nested"
    (nested / "toy").mkdir(parents=True)
    flat.mkdir()
    (flat / "model.th").write_bytes(CONTENT)
    monkeypatch.setenv("CODECZOO_WEIGHTS", f"{nested}{os.pathsep}{flat}")
    assert find(weights) == flat
    (nested / "toy" / "model.th").write_bytes(CONTENT)
    assert find(weights) == nested / "toy"
    (nested / "toy" / "model.th").write_bytes(b"other")
    with pytest.raises(WeightsCorrupt, match=str(nested / "toy" / "model.th")):
        find(weights)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    weights = Weights("toy-24khz", (WeightFile("a.th", DIGEST, 10**6), WeightFile("b.th", DIGEST, 10**6)), "toy:24khz")
    (tmp_path / "toy-24khz").mkdir()
    (tmp_path / "toy-24khz" / "a.th").write_bytes(CONTENT)
    monkeypatch.setenv("CODECZOO_WEIGHTS", str(tmp_path))
    expected = (
        r"\(a.th, b.th, 2 MB\) are not on this machine.*`codeczoo fetch toy:24khz`.*CODECZOO_WEIGHTS.* lacks b.th"
    )
    with pytest.raises(WeightsMissing, match=expected):
        find(weights)


def test_a_checksum_is_computed_once_until_the_file_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read: list[Path] = []
    real = module.sha256_of
    monkeypatch.setattr(module, "sha256_of", lambda path: read.append(path) or real(path))
    monkeypatch.setenv("CODECZOO_WEIGHTS", str(tmp_path))
    (tmp_path / "model.th").write_bytes(CONTENT)
    weights = Weights("toy", (WeightFile("model.th", DIGEST),))
    find(weights)
    find(weights)
    assert len(read) == 1
    (tmp_path / "model.th").write_bytes(CONTENT + b"more")
    with pytest.raises(WeightsCorrupt):
        find(weights)


def _hub(site: _Site, revision: str = "", **files: bytes) -> Weights:
    names = files or {"config_json": b'{"model_type": "toy"}', "model_safetensors": CONTENT}
    prefix = f"/org/model/resolve/{COMMIT}/"
    site.files = {prefix + name.replace("_", "."): content for name, content in names.items()}
    return Weights(
        "org--model", (WeightFile("config.json"),), "hf:org/model", "org/model", revision, endpoint=site.address
    )


def test_a_gated_repository_says_how_to_get_in(site: _Site) -> None:
    weights = _hub(site)
    site.gated = True
    with pytest.raises(WeightsMissing, match="org/model is gated: accept its licence at org/model, log in by"):
        fetch(weights)


@pytest.mark.parametrize("revision", ["", COMMIT])
def test_a_repository_is_fetched_at_one_commit(site: _Site, revision: str) -> None:
    weights = _hub(site, revision)
    site.files[f"/org/model/resolve/{COMMIT}/pytorch_model.bin"] = b"a pickle"
    folder = fetch(weights)
    assert sorted(path.name for path in folder.iterdir()) == [LOCK_NAME, "config.json", "model.safetensors"]
    assert (find(weights) / "model.safetensors").read_bytes() == CONTENT
    lock = json.loads((folder / LOCK_NAME).read_text())
    assert (lock["repository"], lock["revision"]) == ("org/model", COMMIT)
    assert lock["files"]["model.safetensors"] == DIGEST


def test_a_repository_of_pickles_is_refused(site: _Site) -> None:
    weights = _hub(site, config_json=b"{}", pytorch_model_bin=b"a pickle")
    with pytest.raises(WeightsMissing, match=r"lacks model.safetensors; codeczoo loads no pickled weights"):
        fetch(weights)


def test_a_commit_that_is_not_the_declared_one_is_refused(site: _Site) -> None:
    with pytest.raises(WeightsCorrupt, match="asked for commit"):
        fetch(_hub(site, "f" * 40))
    fetch(_hub(site, COMMIT))
    with pytest.raises(WeightsCorrupt, match=f"holds commit {COMMIT}"):
        find(replace(_hub(site), revision="f" * 40))


def test_a_hub_file_of_another_checksum_is_refused(site: _Site) -> None:
    weights = replace(_hub(site), files=(WeightFile("config.json"), WeightFile("model.safetensors", "0" * 64)))
    with pytest.raises(WeightsCorrupt, match="Nothing was kept"):
        fetch(weights)
    assert not (user_cache() / "org--model" / "model.safetensors").exists()


def test_a_hub_that_does_not_answer_is_a_sentence(site: _Site) -> None:
    weights = replace(_hub(site), repository="org/absent")
    with pytest.raises(WeightsMissing, match="The hub repository org/absent cannot be fetched"):
        fetch(weights)


@pytest.mark.parametrize("place", ["hub/models--org--model/snapshots/" + COMMIT, "org--model", "org/model"])
def test_repositories_are_found_by_their_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str) -> None:
    weights = Weights("org--model", (WeightFile("config.json"),), repository="org/model")
    monkeypatch.setenv("CODECZOO_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "hub/models--org--model/refs").mkdir(parents=True)
    (tmp_path / "hub/models--org--model/refs/main").write_text(COMMIT)
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "config.json").write_text("{}")
    with pytest.raises(WeightsMissing):
        find(weights)
    (tmp_path / place / "model.safetensors").write_bytes(CONTENT)
    assert find(weights) == tmp_path / place


def test_every_registered_weight_file_is_pinned_or_says_so() -> None:
    for name in families():
        weights = family(name).weights
        if weights is None:
            continue
        assert weights.codec == name
        assert weights.repository or all(file.url.startswith("https://") for file in weights.files)
        assert not weights.revision or len(weights.revision) == 40
