"""What a codec says of itself, under which licence, and whether its weights are the declared ones."""

from __future__ import annotations

import hashlib
from typing import Protocol, runtime_checkable

from codeczoo.codecs import weights as weight_files

from .findings import Finding
from .patient import Patient

_SHOWN = 12
"""Hexadecimal digits of a checksum."""


class _Model(Protocol):
    weights_digest: str


@runtime_checkable
class _OwnModel(Protocol):
    """A codec that shows its model, which knows its tensors: the native ones."""

    @property
    def model(self) -> _Model: ...


def weights_identity(patient: Patient) -> str:
    """A short name of the weights' content; empty where there are none, or none that can be named."""
    if isinstance(patient.codec, _OwnModel) and getattr(patient.codec.model, "weights_digest", ""):
        # Of the tensors: a checkpoint and what it was converted to are the same weights.
        return patient.codec.model.weights_digest[:_SHOWN]
    if patient.family is not None and patient.family.weights is not None:
        folder = weight_files.find(patient.family.weights)
        parts = weight_files.fingerprint_parts(patient.family.weights, folder)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_SHOWN]
    return ""


def declared(patient: Patient) -> Finding:
    """Whether the loaded codec says what its family says, and names itself."""
    spec = patient.spec
    if patient.family is not None and (stated := patient.family.describe(patient.rate)) != spec:
        other = [key for key in vars(spec) if getattr(spec, key) != getattr(stated, key)]
        pairs = ", ".join(f"{key} {getattr(stated, key)!r} and {getattr(spec, key)!r}" for key in other)
        return Finding("facts", "fail", f"The family and the loaded codec declare different facts: {pairs}.")
    if len(spec.frame_rates) != len(spec.codebook_sizes):
        found = f"{len(spec.frame_rates)} frame rates for {len(spec.codebook_sizes)} codebooks"
        return Finding("facts", "fail", f"It declares {found}; each codebook has one.")
    if not patient.codec.fingerprint:
        return Finding(
            "facts", "fail", "It has no fingerprint, so that results of another version would be taken for its own."
        )
    rate = "no bitrate" if spec.bitrate_kbps is None else f"{spec.bitrate_kbps:.4g} kbps"
    tokens = f"{spec.n_codebooks} codebook(s), " if spec.n_codebooks else ""
    said = f"{spec.sample_rate} Hz, {spec.channels} channel(s), {tokens}{rate}; fingerprint {patient.codec.fingerprint}"
    return Finding("facts", "ok", f"It declares {said}.")


def licence(patient: Patient) -> Finding:
    """The licences of code and weights, shown; a warning where one is not known."""
    spec = patient.spec
    if not spec.licence:
        return Finding("licence", "warning", "It states no licence; ask its author before using it.")
    if spec.parameters == 0 or (spec.parameters is None and not spec.weights_licence):
        return Finding("licence", "ok", f"Code: {spec.licence}.")
    if not spec.weights_licence or spec.weights_licence == "none stated":
        return Finding("licence", "warning", f"Code: {spec.licence}. The source of the weights states no licence.")
    return Finding("licence", "ok", f"Code: {spec.licence}. Weights: {spec.weights_licence}.")


def weights(patient: Patient) -> Finding | None:
    """Whether the weights are the declared ones; None for codecs without. Raises CodecError where they are not."""
    if patient.family is not None and patient.family.weights is not None:
        return _declared_weights(patient.family.weights)
    identity = weights_identity(patient)
    if identity:
        # A model of ours that names no files: shipped with the package, or a file of the user's own.
        said = f"The tensors that were loaded have the fingerprint {identity}"
        return Finding("weights", "ok", f"{said}; a shipped file is verified by loading it, one's own has no checksum.")
    if patient.spec.parameters == 0:
        return None
    return Finding("weights", "unknown", "The codec does not say which weights it loads, so nothing can be compared.")


def _declared_weights(wanted: weight_files.Weights) -> Finding:
    folder = weight_files.find(wanted)
    found = weight_files.checksums(wanted, folder)
    known = {file.path for file in wanted.files if file.sha256}
    locked = weight_files.read_lock(folder).get("files", {})
    loose = [path for path in found if path not in known and path not in locked]
    shown = ", ".join(f"{path} {digest[:_SHOWN]}" for path, digest in found.items())
    if loose:
        return Finding(
            "weights",
            "unknown",
            f"Nothing states what {', '.join(loose)} should be: no checksum is published, and it did not come by "
            f"`codeczoo fetch`, which pins one. Found in {folder}: {shown}.",
            len(loose),
            "0 files without a checksum",
        )
    how = "as published" if len(known) == len(found) else "as pinned when they were fetched"
    return Finding("weights", "ok", f"{len(found)} file(s) in {folder}, {how} (SHA-256): {shown}.")
