"""OpenSSF Model Signing (OMS) 1.0: the manifest of a fingerprinted folder, and folders held against signed bundles.

Source: ossf/model-signing-spec, spec/v1.0.md; what is lost each way: docs/spec/fingerprint-files-v1.md section 5.
"""

from wherefrom.fingerprints.oms.bundle import Keyless, OmsBundle, parse_bundle
from wherefrom.fingerprints.oms.folder import OmsVerdict, read_manifest, verify_folder
from wherefrom.fingerprints.oms.manifest import DEFAULT_IGNORED, Manifest, Resource, oms_manifest, parse_manifest
from wherefrom.fingerprints.oms.signature import CertificateRoots, PublicKey

__all__ = [
    "DEFAULT_IGNORED",
    "CertificateRoots",
    "Keyless",
    "Manifest",
    "OmsBundle",
    "OmsVerdict",
    "PublicKey",
    "Resource",
    "oms_manifest",
    "parse_bundle",
    "parse_manifest",
    "read_manifest",
    "verify_folder",
]
