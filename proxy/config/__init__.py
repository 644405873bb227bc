"""Both YAML files -> frozen, validated objects.

`sealwire.yaml` describes the process, `columns.yaml` the policy: which columns are sealed, and how. Every error is a
`ConfigError` that names file, line and key. Relative paths are relative to the file that holds them.
"""

from proxy.config.model import (
    DEFAULT_KEYSET,
    PROVIDERS,
    Auth,
    AuthMode,
    Config,
    DatabasePolicy,
    DeclaredFunction,
    Keys,
    Limits,
    Listen,
    Negotiation,
    Policy,
    Scheme,
    SealedColumn,
    TlsMode,
    Upstream,
    UpstreamTlsMode,
)
from proxy.config.policy import load_policy, unsupported_search
from proxy.config.process import load_config

__all__ = [
    "DEFAULT_KEYSET",
    "PROVIDERS",
    "Auth",
    "AuthMode",
    "Config",
    "DatabasePolicy",
    "DeclaredFunction",
    "Keys",
    "Limits",
    "Listen",
    "Negotiation",
    "Policy",
    "Scheme",
    "SealedColumn",
    "TlsMode",
    "Upstream",
    "UpstreamTlsMode",
    "load_config",
    "load_policy",
    "unsupported_search",
]
